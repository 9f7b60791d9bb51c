/**
 * Patterns of names. A pattern is plain text in which `*` stands for any characters; it is never a regular expression, so
 * no budget's pattern can be slow.
 */

export type Matcher = (value: string) => boolean;

/** Matches any of the patterns. Linear in pattern and value: the parts between stars are searched from left to right. */
export function globs(patterns: readonly string[]): Matcher {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const open = patterns.filter((pattern) => pattern.includes('*')).map(glob);
  return (value) => exact.has(value) || open.some((matches) => matches(value));
}

function glob(pattern: string): Matcher {
  const parts = pattern.split('*');
  const head = parts[0]!;
  const tail = parts.at(-1)!;
  const middle = parts.slice(1, -1).filter((part) => part !== '');
  return (value) => {
    const end = value.length - tail.length;
    if (end < head.length || !value.startsWith(head) || !value.endsWith(tail)) return false;
    let at = head.length;
    for (const part of middle) {
      const found = value.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}
