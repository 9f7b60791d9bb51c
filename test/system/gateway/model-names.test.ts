import { expect, test } from '@jest/globals';
import { useGateways } from './fixture.ts';
import { ask, errorOf, message } from './harness.ts';

const { gatewayWith } = useGateways();

test('the dated name of an allowed model is served, and another model stays refused', async () => {
  const allow = ['claude-haiku-4-5', 'claude-sonnet-5-5'];
  const gateway = await gatewayWith({ rest: { models: { allow, unknown: 'Refuse' } } });
  expect((await ask(gateway.url, { body: message({ model: 'claude-haiku-4-5-20251001' }) })).status).toBe(200);
  const other = await ask(gateway.url, { body: message({ model: 'claude-sonnet-4-5-20250929' }) });
  expect([other.status, errorOf(other).message]).toEqual([400, expect.stringContaining('is not allowed')]);
});

test.each(['claude-3-7-sonnet-latest', 'claude-3-5-haiku-latest', 'claude-3-haiku-20240307'])(
  '%s, in the configuration of an old app, is served',
  async (model) => {
    const gateway = await gatewayWith();
    expect((await ask(gateway.url, { body: message({ model }) })).status).toBe(200);
  },
);

test('a name that was mistyped, or is retired, is refused with what would help', async () => {
  const gateway = await gatewayWith();
  const refused = async (model: string) => errorOf(await ask(gateway.url, { body: message({ model }) })).message;
  expect(await refused('claude-sonet-5-5')).toContain('Did you mean claude-sonnet-5-5?');
  expect(await refused('claude-2.1')).toContain('Anthropic retired it on 2025-07-21.');
});
