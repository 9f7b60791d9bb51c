/**
 * Work on a body in steps of about a millisecond, so that whoever runs it can do other things in between. It yields how
 * much memory it holds beside the body. Bytes.
 */
export type BodyReading<T> = Generator<number, T, undefined>;

/** Does all of it now. */
export function readAll<T>(reading: BodyReading<T>): T {
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
  }
}
