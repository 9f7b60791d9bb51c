/**
 * Random input for what reads bytes or objects from outside, one file a target. A file exports a `FuzzTarget`; targets.ts
 * lists them all. fast-check makes the inputs, shrinks one that fails, and repeats it by its seed.
 */

import fc from 'fast-check';

export interface FuzzTarget {
  /** Its file name without `.ts`. */
  readonly name: string;
  /** Made for one run; `took` gets how long each input was worked on. Milliseconds. */
  readonly property: (took: (ms: number) => void) => fc.IAsyncProperty<unknown>;
}

export interface FuzzOutcome {
  readonly runs: number;
  /** The longest that an input was worked on. Milliseconds. */
  readonly longestMs: number;
  /** The input that failed, with its seed; null if none did. */
  readonly failure: string | null;
}

/** How long a target is tried: for a time, or for so many inputs. */
export type FuzzLimit = { readonly milliseconds: number } | { readonly runs: number };

/** A target whose `check` throws or returns false where the code does what it must not. */
export function fuzzTarget<T>(
  name: string,
  input: fc.Arbitrary<T>,
  check: (input: T) => boolean | void | Promise<boolean | void>,
): FuzzTarget {
  const property = (took: (ms: number) => void) =>
    fc.asyncProperty(input, async (one) => {
      const begun = performance.now();
      try {
        return await check(one);
      } finally {
        took(performance.now() - begun);
      }
    });
  return { name, property };
}

/** Tries one target. Never rejects for what the target does. */
export async function fuzz({ property }: FuzzTarget, seed: number, limit: FuzzLimit): Promise<FuzzOutcome> {
  let longestMs = 0;
  const details = await fc.check(
    property((ms) => (longestMs = Math.max(longestMs, ms))),
    {
      seed,
      ...('runs' in limit
        ? { numRuns: limit.runs }
        : { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: limit.milliseconds }),
    },
  );
  if (!details.failed || details.counterexample === null) return { runs: details.numRuns, longestMs, failure: null };
  const failure = `${String(details.errorInstance)}\n${fc.defaultReportMessage(details)}`;
  return { runs: details.numRuns, longestMs, failure };
}
