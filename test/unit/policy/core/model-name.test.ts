import { describe, expect, test } from '@jest/globals';
import { allowedModels, limitedModels, narrowerPatterns } from '../../../../policy/core/model-name.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import { namesOf, possibleNames } from '../../../../policy/prices/price-book.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };

const book = parsePriceBook(published);
const limits = (pattern: string, model: string): boolean => possibleNames(book, model).some(limitedModels([pattern]));
const allows = (pattern: string, model: string): boolean => namesOf(book, model).some(allowedModels([pattern]));

const SPELLINGS = [
  'claude-haiku-4-5',
  'claude-haiku-4-5-20251001',
  'claude-haiku-4-5@20251001',
  'claude-haiku-4-5[1m]',
  'claude-haiku-4-5-latest',
  'anthropic.claude-haiku-4-5-20251001-v1:0',
  'global.anthropic.claude-haiku-4-5-v1',
  'us.anthropic.claude-haiku-4-5-20251001-v1:0',
  'apac.anthropic.claude-haiku-4-5-20251001-v1:0:200k',
  'us-gov.anthropic.claude-haiku-4-5-20251001-v1:0',
  'arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0',
  'publishers/anthropic/models/claude-haiku-4-5@20251001',
  'claude-haiku-4-5@default',
  'claude-haiku-4.5',
  'anthropic/claude-haiku-4.5',
];

describe('one model under several names', () => {
  test.each(SPELLINGS)('a limit and an allow-list that name %s have it under each of its names', (pattern) => {
    for (const asked of SPELLINGS) expect([limits(pattern, asked), allows(pattern, asked)]).toEqual([true, true]);
    for (const other of ['claude-haiku-4-6', 'claude-haiku-5-5', 'claude-sonnet-4-5-20250929']) {
      expect(allows(pattern, other)).toBe(false);
    }
    expect(limits(pattern, 'claude-sonnet-4-5-20250929')).toBe(false);
  });

  test('an alias that does not look like the name is the same model as well', () => {
    for (const test of [limits, allows]) {
      expect(test('claude-opus-4', 'claude-opus-4-0')).toBe(true);
      expect(test('claude-opus-4-0', 'claude-opus-4-20250514')).toBe(true);
      expect(test('claude-3-7-sonnet', 'claude-3-7-sonnet-latest')).toBe(true);
    }
  });

  test.each([
    ['claude-opus-*', 'claude-opus-5-5', true],
    ['claude-haiku-4-5-*', 'claude-haiku-4-5', true],
    ['claude-haiku-4-5-2025*', 'claude-haiku-4-5', true],
    ['*-20251001', 'claude-haiku-4-5', true],
    ['claude-opus-5-*', 'claude-opus-5', true],
    ['Claude-Opus-*', 'CLAUDE-OPUS-5-5', true],
    ['claude-opus-5-5-20260922', 'claude-opus-5-5', true],
    ['us.anthropic.claude-opus-*', 'claude-opus-5-5', true],
    ['claude-3.7-*', 'claude-3-7-sonnet-latest', true],
    ['claude-opus-5-5', 'us.anthropic.claude-opus-5-5-v9:9:beta', true],
    ['claude-opus-5-5', 'anthropic/claude-opus-5-5:beta', true],
    ['claude-opus-5-5', 'Claude-Opus-5-5', true],
    ['claude-opus-5-5', 'claude-opus-latest', true],
    ['claude-opus-5-5', 'opus', true],
    ['claude-opus-5-9', 'claude-opus-5-9-20270101', true],
    ['claude-opus-5-5', 'claude-opus-5', false],
    ['claude-opus-5', 'claude-opus-5-5', false],
    ['claude-opus-5-5', 'claude-sonnet-5-5', false],
    ['claude-opus-4-*', 'claude-opus-5-5', false],
    ['claude-opus-5-5', 'qwen3-32b', false],
  ])('a limit for %s has %s: %p', (pattern, asked, expected) => {
    expect(limits(pattern, asked)).toBe(expected);
  });

  test.each([
    ['claude-haiku-*', 'claude-haiku-5-5', true],
    ['claude-new-*', 'claude-new-1', true],
    ['claude-new', 'claude-new', true],
    ['claude-haiku-5-*', 'claude-haiku-5', false],
    ['claude-haiku-4-5-2024*', 'claude-haiku-4-5', false],
    ['us.anthropic.claude-haiku-*', 'claude-haiku-5-5', true],
    ['claude-haiku-*', 'us.anthropic.claude-haiku-5-5-v1:0', true],
    ['claude-3.7-*', 'claude-3-7-sonnet', true],
    ['claude-new', 'claude-new-20270101', true],
    ['claude-new-20270101', 'eu.anthropic.claude-new-v1:0', true],
    ['claude-new', 'claude-new-latest', false],
    ['us.anthropic.*', 'claude-haiku-5-5', false],
    ['*-v1:0', 'claude-haiku-5-5', false],
    ['qwen3', 'qwen3-20270101', false],
    ['qwen3', 'anthropic/qwen3', false],
    ['claude-haiku-5-5', 'CLAUDE-HAIKU-5-5', false],
    ['claude-opus-5', 'claude-opus-5-latest', false],
  ])('an allow-list with %s has %s: %p', (pattern, asked, expected) => {
    expect(allows(pattern, asked)).toBe(expected);
  });

  test.each([
    ['claude-haiku-4-5', 'eu.anthropic.claude-haiku-4-5-20251001-v1:0', true],
    ['claude-*', 'claude-haiku-*', true],
    ['us.anthropic.claude-*', 'us.anthropic.claude-haiku-*', true],
    ['*', 'us.anthropic.claude-haiku-*', true],
    ['us.*', 'us.anthropic.claude-haiku-*', false], // which also allows claude-haiku-5-5
    ['claude-haiku-*', 'claude-*', false],
  ])('an allow-list with %s allows all that one with %s does: %p', (pattern, other, expected) => {
    expect(narrowerPatterns([pattern])(other)).toBe(expected);
  });
});
