import type { Statement } from '../../test/fakes/upstream/books.ts';

/** What the upstream charged for one of its API keys, by its own books. */
export interface Owed {
  calls: number;
  nano: bigint;
}

/** Reads the stand-in's books. It prices with a table of its own and knows nothing of Tollgate. */
export async function owed(upstreamUrl: string, upstreamKey: string): Promise<Owed> {
  const response = await fetch(`${upstreamUrl}/books`);
  const { keys } = (await response.json()) as Statement;
  const account = keys[upstreamKey];
  return { calls: account?.calls ?? 0, nano: BigInt(account?.nanoUsd ?? 0) };
}
