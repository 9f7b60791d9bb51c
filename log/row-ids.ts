/** Ends the id of the row that says what stayed presumed of a call. */
export const REST = '/rest';
/** Ends the id of the row that says what a Message Batch holds while it runs. */
export const HELD = '/batch';

/**
 * The id of the call that a row belongs to, if the row is no call of its own: what stayed presumed of a call, or what a
 * Message Batch holds. Otherwise null. A request of a batch is a call, whatever its `custom_id`.
 */
export function wholeOf(id: string): string | null {
  return /^([^/]+)\/(?:rest|batch)$/.exec(id)?.[1] ?? null;
}

/** The id of the call of which the row says what stayed presumed; of any other row its own. */
export function withoutRest(id: string): string {
  return id.endsWith(REST) ? (wholeOf(id) ?? id) : id;
}
