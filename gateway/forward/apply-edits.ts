import type { Edit } from '../../policy/admit/request-limits.ts';

/** Applies edits to a body. Without edits the bytes stay the same, because one changed byte would miss the prompt cache. */
export function applyEdits(body: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return body;
  const parts: Buffer[] = [];
  let from = 0;
  for (const { start, end, text } of edits) {
    parts.push(body.subarray(from, start), Buffer.from(text, 'latin1'));
    from = end;
  }
  parts.push(body.subarray(from));
  return Buffer.concat(parts);
}
