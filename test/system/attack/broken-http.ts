import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../../bench/seeded-random.ts';
import type { Attack } from './attack.ts';

/** How long a connection is left to the gateway. Milliseconds. */
const PATIENCE_MS = 500;

/** HTTP that is not quite HTTP, and callers that leave at any byte. */
export const brokenHttp: Attack = {
  name: 'broken-http',
  threat: 'malformed HTTP, smuggled requests, and connections that end anywhere',
  run: async ({ installation, tenant, random, variants, report }) => {
    const caller = await tenant({ name: 'broken-http', capUsd: '0.50' });
    for (let n = 0; n < 4 * variants; n++) {
      const { hostname, port } = new URL(random.pick(installation.gateways));
      const sent = Array.from({ length: 8 }, () => requestOf(random, caller.team.apiKey));
      const answers = await Promise.all(sent.map((text) => send(hostname, Number(port), text)));
      for (const [index, answer] of answers.entries()) {
        const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
        if (status >= 500) report(`answered ${status}: ${JSON.stringify(sent[index]!.slice(0, 300))}`);
      }
    }
  },
};

const BODY = JSON.stringify({
  model: 'claude-sonnet-5-5',
  max_tokens: 5,
  messages: [{ role: 'user', content: 'Hello' }],
});

function requestOf(random: SeededRandom, apiKey: string): string {
  const length = Buffer.byteLength(BODY);
  const framing = random.pick([
    `content-length: ${length}`,
    `content-length: ${length + 1 + random.below(100)}`,
    `content-length: ${length}\r\ncontent-length: ${length + 1}`,
    `content-length: ${length}\r\ntransfer-encoding: chunked`,
    'transfer-encoding: chunked',
    'transfer-encoding: chunked, identity',
    'content-length: -1',
    'expect: 100-continue\r\ncontent-length: 10',
  ]);
  const body = random.pick([
    BODY,
    `${length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
    `fffffff\r\n${BODY}`,
    '0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n',
  ]);
  const line = random.pick([
    'POST /v1/messages HTTP/1.1',
    'POST /v1/messages HTTP/1.0',
    'POST http://other/v1/messages HTTP/1.1',
    'post /v1/messages',
  ]);
  const more = random.pick([
    '',
    'connection: keep-alive, x-api-key\r\n',
    'x-api-key: other\r\n',
    `x-long: ${'a'.repeat(20_000)}\r\n`,
  ]);
  const whole = `${line}\r\nhost: gateway\r\nx-api-key: ${apiKey}\r\ncontent-type: application/json\r\n${more}${framing}\r\n\r\n${body}`;
  return random.below(3) === 0 ? whole.slice(0, random.below(whole.length)) : whole;
}

/** Sends the text on a connection of its own and returns what came back within a while. */
async function send(host: string, port: number, text: string): Promise<string> {
  const socket = connect({ host, port });
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined); // the gateway may reset it
  socket.write(text);
  await Promise.race([once(socket, 'close').catch(() => undefined), sleep(PATIENCE_MS)]);
  socket.destroy();
  return answer;
}
