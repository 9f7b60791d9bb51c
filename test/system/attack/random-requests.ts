import type { SeededRandom } from '../../../bench/seeded-random.ts';
import type { Attack } from './attack.ts';

const PATHS = [
  '/v1/messages',
  '/v1/messages?beta=true',
  '/messages',
  '//v1/messages',
  '/v1/messages/count_tokens',
  '/v1/messages/batches',
  '/v1/messages/../messages',
  '/v1/%6dessages',
  '/v1/models',
  '/v1/files',
  '/metrics',
  '/tollgate/v1/budgets',
];

const HEADERS: readonly Readonly<Record<string, string>>[] = [
  {},
  { 'anthropic-beta': 'interleaved-thinking-2025-05-14' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-encoding': 'gzip' },
  { 'x-tollgate-customer': 'a'.repeat(300) },
  { 'x-tollgate-customer': 'acme' },
  { 'anthropic-workspace-id': 'wrkspc_other' },
  { 'x-forwarded-for': '127.0.0.1' },
];

const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1e308,
  1.5,
  '',
  '1',
  'x'.repeat(10_000),
  [],
  [[]],
  {},
  { type: 'text' },
];

const FIELDS = [
  'model',
  'max_tokens',
  'messages',
  'system',
  'tools',
  'stream',
  'thinking',
  'fallbacks',
  'metadata',
  'speed',
  'service_tier',
  'container',
  'mcp_servers',
  'unheard_of',
];

/** Requests that are nearly right: one or more fields, headers, bytes or the path are wrong. */
export const randomRequests: Attack = {
  name: 'random-requests',
  threat: 'requests that the gateway reads otherwise than the upstream, or cannot read at all',
  run: async ({ tenant, random, variants, report }) => {
    const caller = await tenant({ name: 'random-requests', capUsd: '1.00' });
    for (let n = 0; n < 25 * variants; n++) {
      const path = random.below(3) === 0 ? random.pick(PATHS) : '/v1/messages';
      const method = random.below(8) === 0 ? 'GET' : 'POST';
      const body = random.below(4) === 0 ? damaged(requestOf(random), random) : requestOf(random);
      const headers = random.pick(HEADERS);
      const answer = await caller.send({ path, method, headers, ...(method === 'GET' ? {} : { body }) }, n);
      if (answer.status >= 500) {
        report(
          `${method} ${path} was answered ${answer.status} ${answer.text.slice(0, 200)}: ${body.toString('latin1').slice(0, 500)}`,
        );
      }
    }
  },
};

function requestOf(random: SeededRandom): Buffer {
  const request: Record<string, unknown> = {
    model: 'claude-sonnet-5-5',
    max_tokens: 5,
    messages: [{ role: 'user', content: 'Hello' }],
  };
  for (let edits = random.below(3); edits > 0; edits--) request[random.pick(FIELDS)] = random.pick(VALUES);
  return Buffer.from(JSON.stringify(request));
}

/** The same with a byte changed, doubled or taken away. */
function damaged(body: Buffer, random: SeededRandom): Buffer {
  const at = random.below(body.length);
  const byte = Buffer.from(random.below(2) === 0 ? [] : [random.below(256), random.below(256)].slice(random.below(2)));
  return Buffer.concat([body.subarray(0, at), byte, body.subarray(at + random.below(2))]);
}
