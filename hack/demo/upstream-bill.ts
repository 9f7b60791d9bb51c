import type { Statement } from '../../test/fakes/upstream/books.ts';

/** What the upstream charged for one of its API keys. */
export interface Bill {
  calls: number;
  nano: bigint;
}

/** Asks the stand-in what it charged. It prices calls with a table of its own and knows nothing of Tollgate. */
export async function upstreamBill(upstreamUrl: string, upstreamKey: string): Promise<Bill> {
  const response = await fetch(`${upstreamUrl}/books`);
  const { keys } = (await response.json()) as Statement;
  const account = keys[upstreamKey];
  return { calls: account?.calls ?? 0, nano: BigInt(account?.nanoUsd ?? 0) };
}
