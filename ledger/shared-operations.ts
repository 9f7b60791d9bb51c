import type { Reading, ReadingQuery } from '../policy/core/counter-reading.ts';
import type { LedgerState } from './ledger-state.ts';

/** What gateways and the operator both do. */
export interface SharedOperations {
  read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]>;
  state(): Promise<LedgerState>;
  /**
   * Turns the leases of silent incarnations into presumed ones; frees no money. Returns how many. The operator sweeps
   * too, for the case that the last gateway died.
   */
  sweep(): Promise<number>;
}
