import { describe, expect, test } from '@jest/globals';
import type { JsonFields } from '../../../../policy/json/json-access.ts';
import { namedFiles as reading } from '../../../../policy/request/named-files.ts';

/** Reads to the end, in steps. */
function namedFiles(request: JsonFields): readonly string[] {
  const steps = reading(request, 0);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const within = (content: unknown) => ({ messages: [{ role: 'user', content: [content] }] });
const file = { type: 'file', file_id: 'file_1' };

describe('the files of a request', () => {
  test.each<[string, Record<string, unknown>]>([
    ['a source', within({ type: 'image', source: file })],
    ['a block that nobody knows', within({ type: 'dream', a: [{ b: { file_id: 'file_1' } }] })],
    ['a field that nobody knows', { dream: file }],
    ['input of what is no use of a tool', within({ type: 'dream', input: file })],
    ['a field beside the use of a tool', within({ type: 'tool_use', input: {}, content: [file] })],
  ])('are found in %s', (_, request) => {
    expect(namedFiles(request)).toEqual(['file_1']);
  });

  test.each<[string, Record<string, unknown>]>([
    ['what a tool was called with', within({ type: 'tool_use', input: { file_id: 'mine' } })],
    ['the schema of a tool', { tools: [{ input_schema: { properties: { file_id: { type: 'string' } } } }] }],
    ['an example of a tool', { tools: [{ input_examples: [{ file_id: 'mine' }] }] }],
    ['the schema of an answer', { output_config: { format: { schema: { examples: [{ file_id: 'mine' }] } } } }],
    ['what code has made', within({ type: 'code_execution_output', file_id: 'file_1' })],
  ])('are not %s', (_, request) => {
    expect(namedFiles(request)).toEqual([]);
  });

  test('have ids without spaces, and are at most 600', () => {
    expect(() => namedFiles({ file_id: 'a b' })).toThrow('file_id must have 1 to 128 letters');
    const many = (length: number) => Array.from({ length }, (_, index) => ({ file_id: `f${index}` }));
    expect(namedFiles({ a: many(600) })).toHaveLength(600);
    expect(() => namedFiles({ a: many(601) })).toThrow('at most 600 files');
  });
});
