/** Canonical JSON: members sorted by name, bigints as strings. Those must be in members named `…Nano`. */
export function encodeJSON(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (typeof member === 'bigint') return member.toString();
    return isRecord(member) ? Object.fromEntries(Object.entries(member).toSorted(byName)) : member;
  });
}

/** The opposite of `encodeJSON`. Throws a SyntaxError for what it cannot have written. */
export function decodeJSON(text: string): unknown {
  return JSON.parse(text, (name, member: unknown) =>
    name.endsWith('Nano') && typeof member === 'string' ? BigInt(member) : member,
  );
}

/** By code unit, so that the order is the same on every machine. */
export function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
