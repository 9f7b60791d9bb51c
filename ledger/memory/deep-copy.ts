/**
 * A deep copy with the same prototypes, in which references to one object stay references to one object. `copies`
 * remembers those made so far; pass the same map to copy several values that share objects. Private fields are not copied.
 */
export function deepCopy(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [key, deepCopy(one, copies)]));
  if (Array.isArray(value)) return value.map((one) => deepCopy(one, copies));
  const copy = Object.create(Object.getPrototypeOf(value) as object) as Record<string, unknown>;
  copies.set(value, copy);
  for (const [name, one] of Object.entries(value)) copy[name] = deepCopy(one, copies);
  return copy;
}
