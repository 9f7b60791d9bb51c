/** Whether two values of plain data are equal; a member that is undefined counts as absent. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((one, i) => deepEqual(one, b[i]));
  if (Array.isArray(b)) return false;
  return covers(a, b) && hasNoOthers(b, a);
}

function covers(a: object, b: object): boolean {
  for (const name in a) if (!deepEqual(Reflect.get(a, name), ownMember(b, name))) return false;
  return true;
}

/** Whether all members of `a` that `b` lacks are undefined. */
function hasNoOthers(a: object, b: object): boolean {
  for (const name in a) if (!Object.hasOwn(b, name) && Reflect.get(a, name) !== undefined) return false;
  return true;
}

/** A tenant may call a tag `constructor`, which every object has by itself. */
function ownMember(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined;
}
