import { describe, expect, test } from '@jest/globals';
import { settled, streaming, useGateways } from './fixture.ts';
import { type Answer, ask, errorOf, message } from './harness.ts';

const { gatewayWith, received } = useGateways();

const NOBODY = { 'x-api-key': '' };
const PAGE = 'https://app.example';
const PREFLIGHT = {
  ...NOBODY,
  origin: PAGE,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'x-api-key,content-type,anthropic-version',
};

/** What a browser reads of an answer before its page may. */
function cors({ headers }: Answer): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name === 'vary' || name.startsWith('access-control-')),
  );
}

describe('a client reaches the API', () => {
  test.each(['/v1/messages', '/messages', '/v1/v1/messages', '/team/messages', '/team/v1/messages'])(
    'by POST %s, whether or not its base URL ends in /v1',
    async (path) => {
      const gateway = await gatewayWith();
      const answer = await ask(gateway.url, { path, body: streaming });
      expect([answer.status, received[0]!.url]).toEqual([200, '/v1/messages']);
      expect((await settled(gateway)).spentNano).toBeGreaterThan(0n);
    },
  );

  test('by the same for what is free', async () => {
    const gateway = await gatewayWith({ rest: { batches: 'Allow' } });
    const body = message({ max_tokens: undefined });
    for (const base of ['', '/v1', '/v1/v1']) {
      expect((await ask(gateway.url, { path: `${base}/messages/count_tokens`, body })).status).toBe(200);
      expect((await ask(gateway.url, { method: 'GET', path: `${base}/messages/batches` })).status).toBe(200);
      expect((await ask(gateway.url, { method: 'GET', path: `${base}/models/claude-sonnet-5-5` })).status).toBe(200);
    }
  });

  test.each([
    ['POST', '/v1/chat/completions'],
    ['POST', '/v1/threads/1/messages'],
    ['GET', '/v1/messages'],
    ['GET', '/v1'],
    ['POST', '/'],
  ])('not by %s %s, and is told its base URL', async (method, path) => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { method, path: `${path}?a=b` });
    expect([answer.status, answer.headers['x-should-retry']]).toEqual([404, 'false']);
    expect(errorOf(answer)).toMatchObject({ type: 'not_found_error' });
    expect(errorOf(answer).message).toContain(`${method} "${path}" is not served here.`);
    expect(errorOf(answer).message).toContain('ANTHROPIC_BASE_URL');
    expect(received).toEqual([]);
  });
});

test.each(['GET', 'HEAD'])(
  'a load balancer gets an empty 200 for %s /, and nothing about what answers',
  async (method) => {
    const gateway = await gatewayWith();
    const { status, text, headers } = await ask(gateway.url, { method, path: '/', headers: NOBODY });
    expect([status, text]).toEqual([200, '']);
    expect(Object.keys(headers).toSorted()).toEqual(['connection', 'content-length', 'date', 'keep-alive']);
  },
);

describe('a page in a browser', () => {
  const settings = { browserOrigins: [PAGE] };

  test('may call where the installation names its origin', async () => {
    const gateway = await gatewayWith({}, { settings });
    const preflight = await ask(gateway.url, { method: 'OPTIONS', headers: PREFLIGHT });
    expect(preflight.status).toBe(204);
    expect(cors(preflight)).toEqual({
      vary: 'origin',
      'access-control-allow-origin': PAGE,
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-allow-headers': 'x-api-key,content-type,anthropic-version',
      'access-control-max-age': '600',
    });
    const allowed = {
      vary: 'origin',
      'access-control-allow-origin': PAGE,
      'access-control-expose-headers': expect.stringContaining('x-tollgate-cost-usd'),
    };
    const answers = [
      await ask(gateway.url, { headers: { origin: PAGE } }),
      await ask(gateway.url, { headers: { origin: PAGE }, body: streaming }),
      await ask(gateway.url, { method: 'GET', path: '/v1/models', headers: { origin: PAGE } }),
      await ask(gateway.url, { headers: { origin: PAGE, 'x-api-key': 'sk-tollgate-nobody' } }),
      await ask(gateway.url, { path: '/v1/nothing', headers: { origin: PAGE } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 401, 404]);
    for (const answer of answers) expect(cors(answer)).toEqual(allowed);
    expect(answers[0]!.headers['content-type']).toBe('application/json');
  });

  test.each([[], [PAGE]])('may not where it does not: %j', async (...browserOrigins) => {
    const gateway = await gatewayWith({}, { settings: { browserOrigins } });
    const origin = 'https://elsewhere.example';
    const preflight = await ask(gateway.url, { method: 'OPTIONS', headers: { ...PREFLIGHT, origin } });
    expect(preflight.status).toBe(404);
    expect(errorOf(preflight).message).toContain('setting browserOrigins');
    const answer = await ask(gateway.url, { headers: { origin } });
    for (const one of [preflight, answer]) expect(cors(one)).not.toHaveProperty('access-control-allow-origin');
  });

  test('of any origin changes nothing by default', async () => {
    const gateway = await gatewayWith();
    expect(cors(await ask(gateway.url, { headers: { origin: PAGE } }))).toEqual({});
  });
});
