/** Fields without which nothing can be made of the value that they are in. */
export const REQUIRED: ReadonlySet<string> = new Set([
  'model',
  'max_tokens',
  'messages',
  'type',
  'role',
  'name',
  'source',
  'tool',
  'tool_name',
  'definition',
]);

/** The value with each field that is not required set to null, at any depth, one at a time. */
export function* withNulls(value: unknown): Generator {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    const put = (one: unknown): unknown =>
      Array.isArray(value)
        ? value.map((each, i) => (String(i) === name ? one : (each as unknown)))
        : { ...value, [name]: one };
    if (!Array.isArray(value) && !REQUIRED.has(name)) yield put(null);
    for (const within of withNulls(part)) yield put(within);
  }
}
