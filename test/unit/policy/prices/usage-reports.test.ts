import { describe, expect, test } from '@jest/globals';
import { UsageReports } from '../../../../policy/prices/usage-reports.ts';
import { readUsage } from '../../../../policy/prices/usage.ts';
import { streamedUsage } from '../../../support/streamed-usage.ts';

const start = {
  input_tokens: 2679,
  cache_read_input_tokens: 50,
  cache_creation_input_tokens: 30,
  cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
  output_tokens: 3,
  speed: 'fast',
  inference_geo: 'us',
  service_tier: 'standard',
};

describe('several reports', () => {
  test('are merged field by field: the larger of each count, and what only one of them says', () => {
    const end = streamedUsage(
      start,
      { input_tokens: 10_682, output_tokens: 500 },
      { output_tokens: 510, cache_read_input_tokens: null, speed: null },
      null,
    );
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
      uncertain: false,
      declined: false,
      absurd: false,
    });
  });

  test.each<[string, unknown, unknown[]]>([
    ['only the last one says anything', null, [{}, { ...start, output_tokens: 7 }]],
    [
      'each says one field',
      {},
      Object.entries({ ...start, output_tokens: 7 }).map(([name, value]) => ({ [name]: value })),
    ],
    ['a later one says less', start, [{ output_tokens: 7 }, { ...start, output_tokens: 2, input_tokens: 0 }]],
    ['the split of the cache writes comes late', { ...start, cache_creation: null }, [{ ...start, output_tokens: 7 }]],
    [
      'the dearer speed and region come first',
      start,
      [{ output_tokens: 7, speed: 'standard', inference_geo: 'global' }],
    ],
    [
      'the dearer speed and tier come last',
      { ...start, speed: 'standard', service_tier: 'batch' },
      [{ output_tokens: 7, speed: 'fast', service_tier: 'standard' }],
    ],
  ])('come to the same where %s', (_, first, reports) => {
    expect(streamedUsage(first, ...reports)).toEqual(readUsage({ ...start, output_tokens: 7 }));
  });

  test('count later cache writes as the more expensive kind that the stream began with', () => {
    expect(streamedUsage(start, { cache_creation_input_tokens: 100, output_tokens: 1 })).toMatchObject({
      cacheWrite5m: 10,
      cacheWrite1h: 90,
    });
    const fiveMinutes = { input_tokens: 1, cache_creation_input_tokens: 7, output_tokens: 1 };
    expect(streamedUsage(fiveMinutes, { cache_creation_input_tokens: 9 })).toMatchObject({
      cacheWrite5m: 9,
      cacheWrite1h: 0,
      output: 1,
    });
  });

  test('add up the tools that each of them names', () => {
    const tools = (counts: object): object => ({ output_tokens: 1, server_tool_use: counts });
    const two = [tools({ web_search_requests: 2 }), tools({ code_execution_requests: 1, web_search_requests: null })];
    expect(streamedUsage(start, ...two)).toMatchObject({ webSearches: 2, codeExecutions: 1, absurd: false });
    expect(streamedUsage(start, tools({ time_machine_requests: 1 }), tools({}))).toMatchObject({ absurd: true });
  });
});

describe('a report', () => {
  test.each([
    [7],
    ['many'],
    [[]],
    [{ output_tokens: 1.5 }],
    [{ output_tokens: '7' }],
    [{ cache_creation: 1 }],
    [{ iterations: 7 }],
  ])('that cannot be read is not mended by another: %j', (odd) => {
    const good = { output_tokens: 7, cache_creation: { ephemeral_5m_input_tokens: 1 }, iterations: [{}] };
    expect(streamedUsage(start, odd, good).absurd).toBe(true);
    expect(streamedUsage(start, good, odd).absurd).toBe(true);
    expect(streamedUsage(odd, { ...start, ...good }).absurd).toBe(true);
  });

  test('says nothing with null, and nothing at all is no usage', () => {
    const reports = new UsageReports();
    reports.begin(null);
    expect([reports.add({}), reports.add(undefined), reports.add({ output_tokens: null })]).toEqual([
      false,
      false,
      false,
    ]);
    expect([reports.saysInput, reports.read()]).toEqual([false, null]);
    expect(reports.add({ output_tokens: 7 })).toBe(true);
    expect(reports.read()).toMatchObject({ output: 7, absurd: true });
    expect(reports.add({ input_tokens: 5 })).toBe(false);
    expect([reports.saysInput, reports.read()]).toEqual([true, expect.objectContaining({ input: 5, absurd: false })]);
  });

  test('may have names that mean something to JavaScript, and be deep', () => {
    const names = JSON.parse('{"__proto__":{"input_tokens":1},"constructor":7,"output_tokens":1}') as unknown;
    expect(streamedUsage(names, names)).toMatchObject({ input: 0, absurd: true });
    const deep = JSON.parse(`${'{"server_tool_use":'.repeat(50_000)}1${'}'.repeat(50_000)}`) as unknown;
    expect(streamedUsage(deep, deep)).toMatchObject({ absurd: true });
  });
});
