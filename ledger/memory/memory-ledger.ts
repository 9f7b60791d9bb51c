import type { Ledger } from '../ledger.ts';
import { LedgerSession } from '../session/ledger-session.ts';
import { DEFAULT_USAGE_LIMIT } from '../streams.ts';
import { MemoryLeases } from './leases.ts';
import { MemoryOperatorLedger } from './operator-ledger.ts';
import { MemoryState } from './state.ts';
import { MemoryTimeline } from './timeline.ts';
import { MemoryTransport } from './transport.ts';

export interface MemoryLedgerOptions {
  /** The ledger's clock. Milliseconds since the epoch. */
  readonly clock: () => number;
  /** How many usage records may wait in the stream before nothing more is admitted. */
  readonly usageLimit?: number;
}

/**
 * A ledger in this process's memory, for a single process that is gateway and operator. It answers exactly as the ledger
 * in Redis: a property test compares the two.
 */
export class MemoryLedger {
  readonly state = new MemoryState();
  readonly #clock: () => number;
  readonly #usageLimit: number;

  constructor({ clock, usageLimit = DEFAULT_USAGE_LIMIT }: MemoryLedgerOptions) {
    this.#clock = clock;
    this.#usageLimit = usageLimit;
  }

  /** A client with a session of its own. `expectedEpoch`: null while it is not known; asked at each call. */
  connect(expectedEpoch: () => string | null): Ledger {
    const clock = this.#clock;
    const leases = new MemoryLeases(this.state, clock);
    const timeline = new MemoryTimeline(this.state, clock);
    const parts = { data: this.state, leases, timeline, clock, expectedEpoch };
    return {
      gateway: new LedgerSession(new MemoryTransport(parts, this.#usageLimit), expectedEpoch),
      operator: new MemoryOperatorLedger(parts),
    };
  }
}
