import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_VALUES, REST } from '../../policy/core/counter-reading.ts';
import type { RecordState, UsageField } from '../../policy/core/usage-record.ts';
import { MAX_NANO } from '../amount-checks.ts';
import { TOMBSTONE_MS, RETENTION_MS } from '../keys.ts';
import { LEASE_MS, REPLAY_TIMEOUT_MS, MIN_RECOVERY_MS } from '../ledger.ts';

/** A Lua script as Redis runs it. */
export interface Script {
  readonly source: string;
  /** What EVALSHA calls it by. */
  readonly sha: string;
}

/** The fields of the usage records that scripts write: one that is not in the table of columns does not compile. */
const RECORD_FIELDS = {
  FIELD_ID: 'id',
  FIELD_STATE: 'state',
  FIELD_WORKSPACE: 'workspace',
  FIELD_BATCH: 'batch',
  FIELD_META: 'meta',
  FIELD_COST: 'cost_nano',
  FIELD_WORST: 'worst_nano',
  FIELD_ESTIMATED: 'estimated',
} as const satisfies Readonly<Record<string, UsageField>>;

const RECORD_STATES = {
  STATE_PRESUMED: 'presumed',
  STATE_BOOKED: 'booked',
  STATE_RELEASED: 'released',
} as const satisfies Readonly<Record<string, RecordState>>;

/** What the scripts know by name. */
const CONSTANTS = {
  LEASE_MS,
  MIN_RECOVERY_MS,
  REPLAY_TIMEOUT_MS,
  TOMBSTONE_MS,
  RETENTION_MS,
  MAX_VALUES,
  REST,
  MAX_NANO: String(MAX_NANO),
  ...RECORD_FIELDS,
  ...RECORD_STATES,
};

/** Every script of the ledger. Redis has no imports: what several of them share is placed before their bodies. */
export const scripts = {
  reserve: script('reserve', 'ledger', 'counters'),
  settle: script('settle', 'ledger', 'calls'),
  release: script('release', 'ledger', 'calls', 'presumed-calls'),
  book: script('book', 'ledger', 'calls', 'presumed-calls', 'counters'),
  sweep: script('sweep', 'ledger', 'calls', 'presumed-calls'),
  presumed: script('presumed', 'ledger', 'calls'),
  resolve: script('resolve', 'ledger', 'calls', 'presumed-calls'),
  adopt: script('adopt', 'ledger', 'calls', 'presumed-calls'),
  batches: script('batches', 'ledger'),
  settleBatch: script('settle-batch', 'ledger', 'calls'),
  endBatch: script('end-batch', 'ledger', 'calls', 'presumed-calls'),
  restoreBatches: script('restore-batches', 'ledger', 'calls'),
  hold: script('hold', 'ledger', 'calls', 'counters'),
  beat: script('beat', 'ledger', 'recovery'),
  join: script('join', 'ledger', 'recovery'),
  leave: script('leave', 'ledger'),
  replicas: script('replicas', 'ledger'),
  read: script('read', 'ledger'),
  state: script('state', 'ledger'),
  fences: script('fences', 'ledger'),
  establish: script('establish', 'ledger'),
  rebuild: script('rebuild', 'ledger'),
  raise: script('raise', 'ledger', 'calls'),
  resume: script('resume', 'ledger'),
  refusals: script('refusals', 'ledger'),
} as const satisfies Record<string, Script>;

function script(name: string, ...shared: readonly string[]): Script {
  const text = file(name);
  // The first line, `#!lua`, says how Redis runs it and must stay first.
  const end = text.indexOf('\n') + 1;
  const source = [text.slice(0, end) + constants(), ...shared.map(file), text.slice(end)].join('\n');
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

function constants(): string {
  const [names, values] = [Object.keys(CONSTANTS), Object.values(CONSTANTS).map((value) => JSON.stringify(value))];
  return `local ${names.join(', ')} = ${values.join(', ')}`;
}

function file(name: string): string {
  return readFileSync(join(import.meta.dirname, 'scripts', `${name}.lua`), 'utf8');
}
