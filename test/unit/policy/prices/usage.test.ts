import { describe, expect, test } from '@jest/globals';
import { mergeDelta, readUsage } from '../../../../policy/prices/usage.ts';

describe('mergeDelta', () => {
  const start = readUsage({
    input_tokens: 2679,
    cache_read_input_tokens: 50,
    cache_creation_input_tokens: 30,
    cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
    output_tokens: 3,
    speed: 'fast',
    inference_geo: 'us',
    service_tier: 'standard',
  });

  test('takes the newest output and the larger of each input count, and keeps the rest', () => {
    const end = [
      { input_tokens: 10_682, output_tokens: 500 },
      { output_tokens: 510, cache_read_input_tokens: null },
    ].reduce(mergeDelta, start);
    expect(end).toEqual({
      input: 10_682,
      cacheRead: 50,
      cacheWrite5m: 10,
      cacheWrite1h: 20,
      output: 510,
      iterations: [],
      webSearches: 0,
      codeExecutions: 0,
      fast: true,
      regional: true,
      batch: false,
      repriced: false,
      declined: false,
      absurd: false,
    });
  });

  test('counts later cache writes as the more expensive kind that the stream began with', () => {
    expect(mergeDelta(start, { cache_creation_input_tokens: 100, output_tokens: 1 })).toMatchObject({
      cacheWrite5m: 10,
      cacheWrite1h: 90,
    });
    const fiveMinutes = readUsage({ input_tokens: 1, cache_creation_input_tokens: 7, output_tokens: 1 });
    expect(mergeDelta(fiveMinutes, { cache_creation_input_tokens: 9 })).toMatchObject({
      cacheWrite5m: 9,
      cacheWrite1h: 0,
      output: 1,
    });
  });
});
