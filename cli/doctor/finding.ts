/**
 * How much something matters. `Problem`: calls are refused, or money may be, until somebody acts. `Warning`: it works, and
 * somebody should look. `Unknown`: it could not be looked at from here.
 */
export type Level = 'Fine' | 'Unknown' | 'Warning' | 'Problem';

/** What was found of one thing. No part of it holds a credential. */
export interface Finding {
  readonly level: Level;
  /** A sentence. */
  readonly message: string;
  /** What to do; '' where it is fine. */
  readonly remedy: string;
}

/** All is well with it. */
export function fine(message: string): Finding {
  return { level: 'Fine', message, remedy: '' };
}

/** It could not be looked at. */
export function unknown(message: string, remedy: string): Finding {
  return { level: 'Unknown', message, remedy };
}

/** Somebody should look. */
export function warning(message: string, remedy: string): Finding {
  return { level: 'Warning', message, remedy };
}

/** Somebody must act. */
export function problem(message: string, remedy: string): Finding {
  return { level: 'Problem', message, remedy };
}

/** `one, two, three and 5 more`: no list is longer than a line or two. */
export function listed(names: readonly string[], most = 5): string {
  const rest = names.length - most;
  return rest <= 0 ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${rest} more`;
}
