import { expect, test } from '@jest/globals';
import { nearestModel } from '../../../../policy/prices/nearest-model.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };

const MODELS = published.models.map(({ id }) => id);

test.each([
  ['claude-sonet-5-5', 'claude-sonnet-5-5'],
  ['claude-sonnet-5-6', 'claude-sonnet-5-5'],
  ['claude-haiku-45-20251001', 'claude-haiku-4-5'],
  ['us.anthropic.claude-opus-5-7-v1:0', 'claude-opus-5-5'],
  ['claude-4.5-sonnet', 'claude-sonnet-4-5'],
  ['Claude-Opus-5-5', 'claude-opus-5-5'],
  ['gpt-4o', null],
  ['gemini-2.5-pro', null],
])('%s probably means %p', (model, meant) => {
  expect(nearestModel(model, MODELS)).toBe(meant);
});
