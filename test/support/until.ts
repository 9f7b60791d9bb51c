import { setTimeout as sleep } from 'node:timers/promises';

/** Calls `what` every `pauseMs` until it returns a value. @throws Error after `ms`, with the last result or error as its cause */
export async function until<T>(
  what: () => Promise<T | undefined | false> | T | undefined | false,
  ms = 60_000,
  pauseMs = 20,
): Promise<T> {
  const deadline = performance.now() + ms;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await what();
      if (value !== undefined && value !== false) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    await sleep(pauseMs);
  }
  throw new Error(`it did not come true within ${ms / 1000} s: ${what.toString()}`, { cause: last });
}
