import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A Lua script as Redis runs it. */
export interface Script {
  readonly source: string;
  /** What EVALSHA calls it by. */
  readonly sha: string;
}

/** Every script of the ledger. Redis has no imports: what several of them share is placed before their bodies. */
export const scripts = {
  reserve: script('reserve', 'ledger'),
  settle: script('settle', 'ledger', 'calls'),
  release: script('release', 'ledger', 'calls'),
  sweep: script('sweep', 'ledger', 'calls'),
  beat: script('beat', 'ledger'),
  leave: script('leave', 'ledger'),
  read: script('read', 'ledger'),
  state: script('state', 'ledger'),
  fences: script('fences', 'ledger'),
  establish: script('establish', 'ledger'),
} as const satisfies Record<string, Script>;

function script(name: string, ...shared: readonly string[]): Script {
  const text = file(name);
  // The first line, `#!lua`, says how Redis runs it and must stay first.
  const end = text.indexOf('\n') + 1;
  const source = text.slice(0, end) + shared.map(file).join('\n') + text.slice(end);
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

function file(name: string): string {
  return readFileSync(join(import.meta.dirname, 'scripts', `${name}.lua`), 'utf8');
}
