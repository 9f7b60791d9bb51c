/** The ledger did not answer in time, or refused the connection. */
export class LedgerUnreachable extends Error {
  override readonly name = 'LedgerUnreachable';
}
