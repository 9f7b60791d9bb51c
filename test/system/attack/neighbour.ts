import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Installation, Team } from '../../../bench/installation.ts';
import type { NeighbourData, Seen } from './neighbour-calls.ts';

/** Another tenant, which makes ordinary calls on every gateway while attacks run, in a thread that attacks do not hold up. */
export class Neighbour {
  readonly team: Team;
  readonly #thread: Worker;

  /** Starts its calls. */
  constructor({ gateways }: Installation, team: Team) {
    this.team = team;
    const workerData: NeighbourData = { gateways, apiKey: team.apiKey };
    this.#thread = new Worker(join(import.meta.dirname, 'neighbour-calls.ts'), { workerData });
  }

  /** What it saw since the last time. */
  async take(): Promise<Seen> {
    this.#thread.postMessage('take');
    const [seen] = (await once(this.#thread, 'message')) as [Seen];
    return seen;
  }

  /** Ends its calls and resolves when all are answered. */
  async stop(): Promise<void> {
    this.#thread.postMessage('stop');
    await once(this.#thread, 'exit');
  }
}
