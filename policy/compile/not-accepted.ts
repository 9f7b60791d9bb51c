import type { Finding, Reason } from '../core/conditions.ts';
import { type Nano, MoneyInvalid, parseUsd } from '../core/money.ts';

/** A resource is not accepted. Thrown and caught within policy/compile. */
export class NotAccepted extends Error {
  override readonly name = 'NotAccepted';
  readonly reason: Exclude<Reason<'Accepted'>, 'Accepted'>;

  constructor(reason: Exclude<Reason<'Accepted'>, 'Accepted'>, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A resource after validation: `compiled` is null if it is not accepted. */
export interface ValidatedResource<T> {
  readonly accepted: Finding<'Accepted'>;
  readonly compiled: T | null;
}

/** Compiles one resource. Every error becomes a finding, also for a spec that no schema has checked. */
export function validateResource<T>(compileOne: () => T): ValidatedResource<T> {
  try {
    return { accepted: { reason: 'Accepted', message: 'The resource is valid.' }, compiled: compileOne() };
  } catch (error) {
    const reason = error instanceof NotAccepted ? error.reason : 'Invalid';
    return { accepted: { reason, message: error instanceof Error ? error.message : String(error) }, compiled: null };
  }
}

/** An amount of a spec in nano-dollars. Throws `NotAccepted`, which names `field`, if it is not an amount. */
export function amountOf(field: string, text: string): Nano {
  try {
    return parseUsd(text);
  } catch (error) {
    if (error instanceof MoneyInvalid) throw new NotAccepted('Invalid', `${field}: ${error.message}.`);
    throw error;
  }
}

/** An instant of a spec in milliseconds since the epoch. Throws `NotAccepted`, which names `field`, if it is not one. */
export function instantOf(field: string, text: string): number {
  const at = Date.parse(text);
  if (!Number.isSafeInteger(at))
    throw new NotAccepted(
      'Invalid',
      `${field}: ${JSON.stringify(text)} is not an instant. Write it as 2026-12-01T00:00:00Z.`,
    );
  return at;
}
