import { setTimeout as sleep } from 'node:timers/promises';
import type { Installation, Team } from '../../../bench/installation.ts';
import { MessagesClient } from '../../../bench/messages-client.ts';

/** Between two calls on a gateway. Milliseconds. */
const PAUSE_MS = 25;

/** Another tenant, which makes ordinary calls on every gateway while attacks run. */
export class Neighbour {
  readonly team: Team;
  readonly #clients: readonly MessagesClient[];
  readonly #callers: readonly Promise<void>[];
  #latencies: number[] = [];
  #failures: string[] = [];
  #isStopped = false;

  /** Starts its calls. */
  constructor(installation: Installation, team: Team) {
    this.team = team;
    this.#clients = installation.gateways.map((url) => new MessagesClient(url, team.apiKey, 8));
    this.#callers = this.#clients.map((client) => this.#call(client));
  }

  /** What it saw since the last time: milliseconds from sending a call to the end of its answer, and calls that failed. */
  take(): { latencies: readonly number[]; failures: readonly string[] } {
    const taken = { latencies: this.#latencies, failures: this.#failures };
    this.#latencies = [];
    this.#failures = [];
    return taken;
  }

  /** Ends its calls and resolves when all are answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#callers);
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #call(client: MessagesClient): Promise<void> {
    while (!this.#isStopped) {
      try {
        const { status, text, total } = await client.send({
          maxTokens: 10,
          behaviour: { usage: { output_tokens: 1 } },
        });
        this.#latencies.push(total);
        if (status !== 200) this.#failures.push(`${status} ${text.slice(0, 300)}`);
      } catch (error) {
        this.#failures.push(String(error));
      }
      await sleep(PAUSE_MS);
    }
  }
}
