import type { Ledger } from '../operator-ledger.ts';
import { LedgerSession } from '../session/ledger-session.ts';
import { DEFAULT_USAGE_LIMIT } from '../streams.ts';
import { MemoryOperatorLedger } from './operator-ledger.ts';
import { MemoryState } from './state.ts';
import { MemoryTransport } from './transport.ts';

/** A ledger in memory, for a process that is gateway and operator; a property test compares its answers with Redis. */
export class MemoryLedger {
  readonly state = new MemoryState();
  readonly #clock: () => number;
  readonly #usageLimit: number;

  /** `clock`: milliseconds since the epoch. `usageLimit`: how many usage records may wait before admission stops. */
  constructor({ clock, usageLimit = DEFAULT_USAGE_LIMIT }: { clock: () => number; usageLimit?: number }) {
    this.#clock = clock;
    this.#usageLimit = usageLimit;
  }

  /** A client with a session of its own. `expectedEpoch`: null while it is not known; asked at each call. */
  connect(expectedEpoch: () => string | null): Ledger {
    const { state } = this;
    const clock = this.#clock;
    const transport = new MemoryTransport(state, clock, expectedEpoch, this.#usageLimit);
    return {
      gateway: new LedgerSession(transport, expectedEpoch),
      operator: new MemoryOperatorLedger(state, clock, expectedEpoch),
    };
  }
}
