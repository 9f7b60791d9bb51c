/** The fields of an object that is being read. Whoever looks at the first of them has all of them listed. */
export type OpenFields = Record<string, unknown>;

/** Makes an object without a prototype's names, so that no key of a body meets one; faster than `Object.create(null)`. */
export const OpenFields = function OpenFields() {
  // Its fields are set as they are read.
} as unknown as new () => OpenFields;
OpenFields.prototype = Object.create(null) as object;

/** Sets a field that is not there yet. */
export function setField(fields: OpenFields, key: string, value: unknown): void {
  // A plain assignment would make an array with room for all numbers below the key.
  if (isNumber(key)) Object.defineProperty(fields, key, { value, enumerable: true });
  else fields[key] = value;
}

const INDEX = /^\d{1,10}$/;

function isNumber(key: string): boolean {
  const first = key.charCodeAt(0);
  return first <= 0x39 && first >= 0x30 && INDEX.test(key);
}
