import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { useGateways } from './fixture.ts';
import { message } from './harness.ts';

const fixture = useGateways();
const WINDOW_MS = 1_000;
/** A body that takes several windows in the steps below. */
const STEPS = 20;
const BODY = message({ messages: [{ role: 'user', content: 'words '.repeat(60_000) }] });

/** Sends the first `steps` parts of a body slowly, and resolves to the status, or to null where the connection ends. */
async function upload(url: string, key: string, steps: number, part: (n: number) => string): Promise<number | null> {
  const headers = { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  const asked = request(`${url}/v1/messages`, { method: 'POST', headers });
  const ended = new Promise<null>((resolve) => asked.on('error', () => undefined).once('close', () => resolve(null)));
  const answered = once(asked, 'response').then(([response]) => (response.resume(), response.statusCode as number));
  answered.catch(() => undefined);
  for (let n = 0; n < steps && !asked.destroyed; n += 1) {
    asked.write(part(n));
    await sleep((3 * WINDOW_MS) / STEPS);
  }
  if (steps === STEPS) {
    asked.end();
    return answered;
  }
  return ended;
}

const parts = (n: number) =>
  BODY.slice(Math.ceil((n * BODY.length) / STEPS), Math.ceil(((n + 1) * BODY.length) / STEPS));

test('a body may take any time as long as its bytes flow', async () => {
  const gateway = await fixture.gatewayWith({}, { arrivalWindowMs: WINDOW_MS });
  expect(await upload(gateway.url, 'sk-tollgate-api', STEPS, parts)).toBe(200);
  // Node's own limit for whole requests is five minutes.
  expect(gateway.assembly.gateway.server).toMatchObject({ requestTimeout: 0, headersTimeout: 60_000 });
});

test.each([
  ['stops', 'sk-tollgate-api', 2],
  ['only trickles', 'sk-tollgate-api', 200],
  ['goes on after it was refused', 'sk-tollgate-nobody', 200],
])('a body that %s is ended', async (what, key, steps) => {
  const gateway = await fixture.gatewayWith({}, { arrivalWindowMs: WINDOW_MS });
  const part = what === 'only trickles' ? () => ' ' : parts;
  expect(await upload(gateway.url, key, steps, part)).toBeNull();
  expect(fixture.received).toEqual([]);
});
