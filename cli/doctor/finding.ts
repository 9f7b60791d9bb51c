/**
 * The severity of a finding. `Problem`: calls are refused, or money is at risk, until somebody acts. `Warning`: it works, but
 * somebody should look. `Unknown`: it cannot be checked from here.
 */
export type Level = 'Fine' | 'Unknown' | 'Warning' | 'Problem';

/** The result of a check. No part of it holds a credential. */
export interface Finding {
  readonly level: Level;
  /** A sentence. */
  readonly message: string;
  /** What to do; '' for Fine. */
  readonly remedy: string;
}

/** A finding that needs nothing. */
export function fine(message: string): Finding {
  return { level: 'Fine', message, remedy: '' };
}

/** A finding for what cannot be checked from here. */
export function unknown(message: string, remedy: string): Finding {
  return { level: 'Unknown', message, remedy };
}

/** A finding that somebody should look at. */
export function warning(message: string, remedy: string): Finding {
  return { level: 'Warning', message, remedy };
}

/** A finding that somebody must act on. */
export function problem(message: string, remedy: string): Finding {
  return { level: 'Problem', message, remedy };
}

/** `one, two, three and 5 more`, so that a list stays within a line or two. */
export function listed(names: readonly string[], most = 5): string {
  const rest = names.length - most;
  return rest <= 0 ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${rest} more`;
}
