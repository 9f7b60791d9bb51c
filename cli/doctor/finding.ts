/**
 * The severity of a finding. `Problem`: calls are refused, or money is at risk, until somebody acts. `Warning`: it works, but
 * somebody should look. `Unknown`: it cannot be checked from here.
 */
export type Level = 'Fine' | 'Unknown' | 'Warning' | 'Problem';

/** The result of a check. No part of it holds a credential. */
export interface Finding {
  readonly level: Level;
  readonly message: string;
  /** What to do; '' for Fine. */
  readonly remedy: string;
}

/** What a check returns: findings, and `false` for each fault that is not there. */
export type Findings = readonly (Finding | false)[];

export const fine = (message: string): Finding => ({ level: 'Fine', message, remedy: '' });
export const unknown = (message: string, remedy: string): Finding => ({ level: 'Unknown', message, remedy });
export const warning = (message: string, remedy: string): Finding => ({ level: 'Warning', message, remedy });
export const problem = (message: string, remedy: string): Finding => ({ level: 'Problem', message, remedy });

/** `1 call`, `2 calls`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `one, two, three and 5 more`, so that a list stays within a line or two. */
export function listed(names: readonly string[], most = 5): string {
  const rest = names.length - most;
  return rest <= 0 ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${rest} more`;
}
