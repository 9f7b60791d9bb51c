import { expect, test } from '@jest/globals';
import { MadeFiles } from '../../../../gateway/forward/made-files.ts';

const made = (prefix: string, ...ids: readonly unknown[]) => ({
  type: `${prefix}code_execution_tool_result`,
  content: {
    type: `${prefix}code_execution_result`,
    stdout: '{"type":"code_execution_output","file_id":"file_printed"}',
    content: ids.map((id) => ({ type: `${prefix}code_execution_output`, file_id: id })),
  },
});

const event = (content_block: unknown) => `event: content_block_start\ndata: ${JSON.stringify({ content_block })}\n\n`;
const whole = (...content: readonly unknown[]) => JSON.stringify({ type: 'message', content, usage: {} });

/** What is found in an answer that comes in pieces of so many bytes. */
function found(answer: string, isStream: boolean, size = answer.length): readonly string[] {
  const ids: string[] = [];
  const files = new MadeFiles((some) => ids.push(...some));
  const bytes = Buffer.from(answer);
  for (let at = 0; at < bytes.length; at += size) files.write(bytes.subarray(at, at + size), isStream);
  files.end();
  return ids;
}

test.each([1, 7, 100_000])('files are found in answers that come in pieces of %i bytes', (size) => {
  const blocks = [made('bash_', 'file_1', 'file_2'), { type: 'text', text: 'é' }, made('', 'file_3')];
  expect(found(blocks.map(event).join(''), true, size)).toEqual(['file_1', 'file_2', 'file_3']);
  expect(found(whole(...blocks), false, size)).toEqual(['file_1', 'file_2', 'file_3']);
});

test.each<[string, unknown]>([
  ['text that looks like a result', { type: 'text', text: JSON.stringify(made('', 'file_1')) }],
  ['the input of a tool', { type: 'tool_use', input: made('', 'file_1') }],
  ['the result of another tool', { ...made('', 'file_1'), type: 'web_search_tool_result' }],
  ['an error', { type: 'code_execution_tool_result', content: { type: 'code_execution_tool_result_error' } }],
  ['something else than ids', made('', 7, null, 'file id', 'x'.repeat(129))],
  ['no content', { type: 'code_execution_tool_result', content: null }],
  ['null', null],
])('none is found in %s', (_, block) => {
  expect(found(event(block), true)).toEqual([]);
  expect(found(whole(block), false)).toEqual([]);
});

test('an answer that is not JSON names no file, and what follows it is still read', () => {
  const broken = 'data: {"content_block": code_execution_tool_result\n\n';
  expect(found(`${broken}${event(made('', 'file_1'))}`, true)).toEqual(['file_1']);
  expect(found('<html>code_execution_tool_result', false)).toEqual([]);
});
