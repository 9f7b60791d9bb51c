import { describe, expect, test } from '@jest/globals';
import { settled, useGateways } from './fixture.ts';
import { ask, errorOf, message } from './harness.ts';
import { budget } from './policies.ts';

const env = useGateways();
const { gatewayWith, received, books } = env;
const forwarding = { rest: { unknownFields: 'Forward' } } as const;

describe('a client that is newer than the gateway', () => {
  const body = message({
    max_tokens: 1000,
    safeguards: [{ type: 'dangerous_tool_use', classifier_context: { v: 1, permission_mode: 'auto' } }],
  });
  const beta = { 'anthropic-beta': 'dangerous-tool-use-2026-09-03' };

  test('is served with a name that is listed as harmless, at no more than its worst case', async () => {
    const gateway = await gatewayWith({ ...forwarding, budgets: [budget('daily', '0.02')] });
    expect((await ask(gateway.url, { body, headers: beta })).status).toBe(200);
    expect(received.at(-1)!.body.toString()).toBe(body);
    expect(received.at(-1)!.headers['anthropic-beta']).toBe('dangerous-tool-use-2026-09-03');
    expect((await settled(gateway)).spentNano).toBe(books());
  });

  test('is served byte for byte with a name that nobody knows, where its highest bound fits', async () => {
    const gateway = await gatewayWith(forwarding);
    const dream = message({ dream: { depth: [1, 2] }, model: 'claude-sonnet-5-5' });
    expect((await ask(gateway.url, { body: dream })).status).toBe(200);
    expect(received.at(-1)!.body.toString()).toBe(dream);
    expect((await settled(gateway)).spentNano).toBe(books());
  });

  test('is told the name, the amount and the ways out where it does not fit', async () => {
    const gateway = await gatewayWith({ ...forwarding, budgets: [budget('daily', '1.00')] });
    const answer = await ask(gateway.url, { body: message({ dream: 1, model: 'claude-sonnet-5-5' }) });
    expect(answer.status).toBe(429);
    expect(errorOf(answer).message).toMatch(/Up to \$5\.81.* dream: leave it out, or have it listed as harmless/);
    expect(received).toHaveLength(0);
  });

  test('is refused where the workspace refuses what it does not know, and told which beta to take back', async () => {
    const gateway = await gatewayWith({ rest: { unknownFields: 'Refuse' } });
    const answer = await ask(gateway.url, { body: message({}), headers: { 'anthropic-beta': 'dreams-2027-01-01' } });
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toContain('capability_rejected: beta_header:dreams-2027-01-01');
  });

  test('goes on with the whole conversation after a refused thread', async () => {
    const gateway = await gatewayWith(forwarding);
    const headers = { 'anthropic-beta': 'message-threads-2026-08-12' };
    const thread = { type: 'continue', previous_message_id: 'msg_1' };
    const answer = await ask(gateway.url, { body: message({ thread }), headers });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({ details: { error_code: 'thread_unsupported_request' } });
    expect((await ask(gateway.url, { body: message({ thread: { type: 'create' } }), headers })).status).toBe(200);
  });
});
