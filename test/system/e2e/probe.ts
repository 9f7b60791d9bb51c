import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';

// Calls each gateway that the arguments name (base URLs), past the Service and without pause, and prints a line of JSON
// (a Turn) whenever one begins to refuse for money or to answer again. Ends after ten minutes, or with its Pod.

/** A gateway has begun to refuse, or to admit. */
export interface Turn {
  gateway: string;
  /** When the call was sent that was the last to be answered otherwise; 0 for none. Milliseconds since the epoch. */
  before: number;
  /** When the first answer of this kind was there. */
  answered: number;
  refuses: boolean;
}

const BEHAVIOUR: Behaviour = { usage: { output_tokens: 1 } };
const LONGEST_MS = 600_000;

await Promise.all(process.argv.slice(2).map(probe));

async function probe(gateway: string): Promise<void> {
  const client = new Anthropic({ baseURL: gateway, maxRetries: 0 });
  const until = Date.now() + LONGEST_MS;
  let refused: boolean | undefined;
  let before = 0;
  while (Date.now() < until) {
    const asked = Date.now();
    const refuses = await isRefused(client);
    const turn: Turn = { gateway, before, answered: Date.now(), refuses };
    if (refuses !== refused) console.log(JSON.stringify(turn));
    [refused, before] = [refuses, asked];
    await sleep(5);
  }
}

async function isRefused(client: Anthropic): Promise<boolean> {
  const messages = [{ role: 'user' as const, content: 'Still there?' }];
  const headers = { 'x-stainless-stand-in': JSON.stringify(BEHAVIOUR) };
  try {
    await client.messages.create({ model: 'claude-haiku-4-5', max_tokens: 1, messages }, { headers });
    return false;
  } catch (error) {
    if (error instanceof Anthropic.APIError && error.errorCode === 'budget_exceeded') return true;
    throw error;
  }
}
