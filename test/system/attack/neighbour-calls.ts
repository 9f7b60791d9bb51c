import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { MessagesClient } from '../../../bench/messages-client.ts';

// The thread of the neighbour: calls every gateway, until it is told to stop.

export interface NeighbourData {
  readonly gateways: readonly string[];
  readonly apiKey: string;
}

export interface Seen {
  /** From sending a call to the end of its answer. Milliseconds. */
  readonly latencies: readonly number[];
  /** Calls that failed, in words. */
  readonly failures: readonly string[];
}

/** Between two calls on a gateway. Milliseconds. */
const PAUSE_MS = 25;

const { gateways, apiKey } = workerData as NeighbourData;
const clients = gateways.map((url) => new MessagesClient(url, apiKey, 8));
let latencies: number[] = [];
let failures: string[] = [];
const stopped = new AbortController();

parentPort!.on('message', (message: 'take' | 'stop') => {
  if (message === 'stop') {
    stopped.abort();
    return;
  }
  parentPort!.postMessage({ latencies, failures } satisfies Seen);
  [latencies, failures] = [[], []];
});

await Promise.all(clients.map(callOn));
await Promise.all(clients.map((client) => client.close()));
parentPort!.close();

async function callOn(client: MessagesClient): Promise<void> {
  while (!stopped.signal.aborted) {
    try {
      const { status, text, total } = await client.send({ maxTokens: 10, behaviour: { usage: { output_tokens: 1 } } });
      latencies.push(total);
      if (status !== 200) failures.push(`${status} ${text.slice(0, 300)}`);
    } catch (error) {
      failures.push(String(error));
    }
    await sleep(PAUSE_MS);
  }
}
