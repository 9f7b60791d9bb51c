import Anthropic from '@anthropic-ai/sdk';
import { expect } from '@jest/globals';
import { BatchSettler } from '../../../operator/batches/batch-settler.ts';
import { BatchUpstream } from '../../../operator/batches/batch-upstream.ts';
import { parsePriceBook } from '../../../policy/prices/price-book-file.ts';
import { NO_PROXY } from '../../../proxy/proxy-environment.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import type { Fixture } from './fixture.ts';
import type { Running, StartOptions } from './harness.ts';
import { PRICES, type WorkspaceOptions } from './policies.ts';

export const BATCHES_PATH = '/v1/messages/batches';

export const PRICE_BOOK = parsePriceBook(JSON.parse(PRICES.text));

/** Starts gateways whose workspace allows batches, and whose body files are in `bodyFolder`. */
export function batchGateways({ gatewayWith }: Fixture, bodyFolder: string) {
  return (workspace: Partial<WorkspaceOptions> = {}, options: Partial<StartOptions> = {}): Promise<Running> => {
    const rest = { batches: 'Allow' as const, ...workspace.rest };
    return gatewayWith({ ...workspace, rest }, { bodyFolder, ...options });
  };
}

export function sdk({ url }: Running, apiKey = 'sk-tollgate-api'): Anthropic {
  return new Anthropic({ baseURL: `${url}/some/prefix`, apiKey, maxRetries: 0 });
}

/** A request of a batch that behaves so upstream. */
export function item(
  id: string,
  behaviour: Behaviour = {},
  rest: Partial<Anthropic.MessageCreateParamsNonStreaming> = {},
) {
  return {
    custom_id: id,
    params: {
      model: 'claude-sonnet-5-5',
      max_tokens: 100,
      messages: [{ role: 'user' as const, content: 'Hello' }],
      metadata: { user_id: `stand-in:${JSON.stringify(behaviour)}` },
      ...rest,
    },
  };
}

export interface Poller {
  readonly batches: BatchSettler;
  /** Looks at every open batch once; what was thrown. */
  readonly look: () => Promise<unknown[]>;
  readonly settled: string[];
  readonly lost: string[];
  readonly released: string[];
  /** Each with the upstream that has it. */
  readonly elsewhere: [string, string][];
  bookedNano: bigint;
  at: number;
}

/** The operator's part, with the ledger of a gateway. */
export function poller(
  { ledger, upstreamURL }: Running,
  changes: Partial<ConstructorParameters<typeof BatchSettler>[0]> = {},
): Poller {
  const due: string[] = [];
  const self: Poller = {
    at: Date.now(),
    bookedNano: 0n,
    settled: [],
    lost: [],
    released: [],
    elsewhere: [],
    batches: new BatchSettler({
      ledger: ledger.operator,
      upstream: new BatchUpstream(NO_PROXY),
      credentials: () => ({ baseURL: upstreamURL, apiKey: 'sk-ant-upstream', headers: {}, prices: PRICE_BOOK }),
      prices: () => PRICE_BOOK,
      isAllowed: () => true,
      settings: { presumedHold: 'PeriodEnd' },
      clock: () => self.at,
      elapsed: () => self.at,
      intervalMs: 1000,
      queues: { addBatch: (batch) => due.push(batch) },
      metrics: {
        countBatchLines: (lines) => (self.bookedNano += lines.reduce((sum, { costNano }) => sum + costNano, 0n)),
      },
      events: {
        batchSettled: ({ batch }) => self.settled.push(batch),
        batchLost: ({ batch }) => self.lost.push(batch),
        batchReleased: ({ batch }) => self.released.push(batch),
        batchElsewhere: ({ batch }, origin) => self.elsewhere.push([batch, origin]),
      },
      ...changes,
    }),
    look: async () => {
      self.at += 10_000;
      expect(await self.batches.poll()).toBe(1000);
      const outcomes = await Promise.allSettled(due.splice(0).map((batch) => self.batches.settle(batch)));
      return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    },
  };
  return self;
}

export async function recordsOf({ ledger }: Running): Promise<Record<string, unknown>[]> {
  return (await ledger.operator.readUsage(5_000)).map(({ record }) => record);
}
