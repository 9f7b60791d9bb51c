import type { Span, ValueSpans } from '../json/value-spans.ts';

/** The fields of a request that belong to its prompt; the upstream refuses to count others. */
const PROMPT_FIELDS = [
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'cache_control',
  'context_management',
  'speed',
];

/** A field of a body, and the bytes of its value. */
export interface FieldSpan extends Span {
  readonly name: string;
}

/** Where the prompt is in a body, in few fields, however many there are. */
export function promptFields(spans: ValueSpans): readonly FieldSpan[] {
  return PROMPT_FIELDS.flatMap((name) => {
    const span = spans.top(name);
    return span === undefined ? [] : [{ name, ...span }];
  });
}
