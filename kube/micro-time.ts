/** The only form of a time that Leases and Events take: RFC 3339 with microseconds. `ms` since the epoch. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
