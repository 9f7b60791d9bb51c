/** Whether two pieces of plain data say the same: a member that is undefined is one that is absent. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((one, i) => deepEqual(one, b[i]));
  if (Array.isArray(b)) return false;
  return covers(a, b) && hasNoMore(b, a);
}

function covers(a: object, b: object): boolean {
  for (const name in a) if (!deepEqual(Reflect.get(a, name), Reflect.get(b, name))) return false;
  return true;
}

/** What `a` has beyond the members of `b` is undefined. */
function hasNoMore(a: object, b: object): boolean {
  for (const name in a) if (!(name in b) && Reflect.get(a, name) !== undefined) return false;
  return true;
}
