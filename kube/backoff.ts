/** Doubling delays, in milliseconds. */
export type Backoff = Readonly<Record<'firstMs' | 'maxMs', number>>;

/**
 * The delay in milliseconds after the `failures`th failure in a row (from 1): random in the upper half of the doubled one, so
 * that clients that failed together do not retry together. `random` gives [0, 1).
 */
export function delay({ firstMs, maxMs }: Backoff, failures: number, random: () => number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return full * (0.5 + random() / 2);
}
