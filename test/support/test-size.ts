/**
 * How much of a test is run: `make test-long` runs `long` inputs, seconds or zones, and `make test` fewer of the same.
 * Only sizes differ, never what is asserted.
 */
export function testSize<T>({ short, long }: { short: T; long: T }): T {
  return process.env['TOLLGATE_TEST_LONG'] === '1' ? long : short;
}
