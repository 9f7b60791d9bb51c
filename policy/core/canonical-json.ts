/** Canonical JSON: members sorted by name, bigints as strings. A bigint must be in a member named `…Nano`. */
export function encodeJSON(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (typeof member === 'bigint') return member.toString();
    return isRecord(member) ? Object.fromEntries(Object.entries(member).toSorted(byName)) : member;
  });
}

/** Reverses `encodeJSON`. Throws a SyntaxError for text that is not JSON, or has no integer in a member `…Nano`. */
export function decodeJSON(text: string): unknown {
  return JSON.parse(text, (name, member: unknown) =>
    name.endsWith('Nano') && typeof member === 'string' ? BigInt(member) : member,
  );
}

/** Compares entries by name, by code unit: the order is the same on every machine. */
export function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
