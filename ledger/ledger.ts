import type { GatewayLedger } from './gateway-ledger.ts';
import type { OperatorLedger } from './operator-ledger.ts';

/** One process's access to a ledger. */
export interface Ledger {
  readonly gateway: GatewayLedger;
  readonly operator: OperatorLedger;
}
