/**
 * Whether a value parsed from JSON is an error in the API's form, `{"type": "error", "error": {"type": "…", "message":
 * "…"}}`. What stands in front of the API has forms of its own.
 */
export function isApiError(value: unknown): boolean {
  const { type, error } = object(value);
  const { type: kind, message } = object(error);
  return type === 'error' && typeof kind === 'string' && kind !== '' && typeof message === 'string';
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
