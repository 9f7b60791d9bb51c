/** How compile says no to one resource without touching the others. */

import type { Finding, Reason } from '../core/conditions.ts';
import { MoneyInvalid, parseUsd } from '../core/money.ts';

/** Why a resource is not accepted. Thrown and caught within compile. */
export class NotAccepted extends Error {
  override readonly name = 'NotAccepted';
  readonly reason: Exclude<Reason<'Accepted'>, 'Accepted'>;

  constructor(reason: Exclude<Reason<'Accepted'>, 'Accepted'>, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** What became of one resource: its compiled form, or null and why. */
export interface ValidatedResource<T> {
  readonly accepted: Finding<'Accepted'>;
  readonly compiled: T | null;
}

/** Compiles one resource. Whatever is wrong with it becomes a finding: a spec that no schema ever saw ends here too. */
export function validateResource<T>(compileOne: () => T): ValidatedResource<T> {
  try {
    return { accepted: { reason: 'Accepted', message: 'The resource is valid.' }, compiled: compileOne() };
  } catch (error) {
    const reason = error instanceof NotAccepted ? error.reason : 'Invalid';
    return { accepted: { reason, message: error instanceof Error ? error.message : String(error) }, compiled: null };
  }
}

/** An amount of a spec in nano-dollars; `field` is named where it is none. */
export function amountOf(field: string, text: string): bigint {
  try {
    return parseUsd(text);
  } catch (error) {
    if (error instanceof MoneyInvalid) throw new NotAccepted('Invalid', `${field}: ${error.message}.`);
    throw error;
  }
}

/** An instant of a spec in milliseconds since the epoch; `field` is named where it is none. */
export function instantOf(field: string, text: string): number {
  const at = Date.parse(text);
  if (!Number.isSafeInteger(at))
    throw new NotAccepted(
      'Invalid',
      `${field}: ${JSON.stringify(text)} is not an instant. Write it as 2026-12-01T00:00:00Z.`,
    );
  return at;
}
