/** RFC 3339 in UTC without fractions, for an instant in milliseconds. */
export function rfc3339(at: number): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
