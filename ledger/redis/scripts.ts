import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_NAMESPACE_VALUES, MAX_VALUES, SHARED_VALUE } from '../../policy/core/counter-reading.ts';
import { MAX_NANO } from '../../policy/core/money.ts';
import type { RecordState, UsageField } from '../../policy/core/usage-record.ts';
import {
  LEASE_MS,
  MIN_RECOVERY_MS,
  RELEASE_AFTER_MS,
  REPLAY_TIMEOUT_MS,
  RETENTION_MS,
  TOMBSTONE_MS,
  VALUE_RETENTION_MS,
  WAIT_MARK_MS,
} from '../durations.ts';

export interface Script {
  readonly source: string;
  /** The name by which EVALSHA calls it. */
  readonly sha: string;
}

/** The fields of the usage records that scripts write: one that is not in the table of columns does not compile. */
const RECORD_FIELDS = {
  FIELD_ID: 'id',
  FIELD_STATE: 'state',
  FIELD_WORKSPACE: 'workspace',
  FIELD_WORKSPACE_UID: 'workspace_uid',
  FIELD_NAMESPACE_UID: 'namespace_uid',
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

/** What the scripts may name. */
const CONSTANTS: Readonly<Record<string, string | number>> = {
  LEASE_MS,
  MIN_RECOVERY_MS,
  RELEASE_AFTER_MS,
  REPLAY_TIMEOUT_MS,
  TOMBSTONE_MS,
  RETENTION_MS,
  VALUE_RETENTION_MS,
  WAIT_MARK_MS,
  MAX_VALUES,
  MAX_NAMESPACE_VALUES,
  SHARED_VALUE,
  MAX_NANO: String(MAX_NANO),
  ...RECORD_FIELDS,
  ...RECORD_STATES,
};

/** The functions of the shared parts and what stands between them. */
const PIECES = /^local function (\w+)\([^)]*\)(?: .* end$|[^]*?^end$)|^.+$/gm;

/** The shared parts for scripts that end calls. */
const LEASES = ['decimal', 'recovery', 'corrections', 'value-counters', 'leases'];

/** Every script of the ledger. Redis has no imports: the shared parts of a script are placed before its body, in this order. */
export const scripts = {
  // What a session does.
  reserve: script('reserve', 'decimal', 'recovery', 'value-counters', 'reservation-counters'),
  settle: script('settle', ...LEASES),
  release: script('release', ...LEASES),
  settleUnchecked: script('settle-unchecked', ...LEASES, 'reservation-counters'),
  openBatch: script('open-batch', ...LEASES),
  restore: script('restore-reservation', ...LEASES, 'reservation-counters'),
  beat: script('beat', 'recovery'),
  joinTimeline: script('join-timeline', 'recovery'),
  unregister: script('unregister'),
  readReplication: script('read-replication'),
  appendFreeUsage: script('append-free-usage'),
  recordRefusals: script('record-refusals', 'decimal', 'value-counters', 'reservation-counters'),
  // What gateways and the operator do.
  readCounters: script('read-counters'),
  readState: script('read-state'),
  sweep: script('sweep', ...LEASES),
  // What the operator does.
  raiseFences: script('raise-fences'),
  forgetFences: script('forget-fences'),
  establish: script('establish', 'recovery'),
  beginRebuild: script('begin-rebuild', 'recovery'),
  raiseCounters: script('raise-counters', 'decimal', 'corrections', 'value-counters'),
  correctCounters: script('correct-counters', 'decimal', 'corrections', 'value-counters'),
  endRecovery: script('end-recovery', 'recovery'),
  listPresumedCalls: script('list-presumed-calls', ...LEASES),
  resolvePresumed: script('resolve-presumed', ...LEASES),
  endBooked: script('end-booked', ...LEASES),
  releaseDue: script('release-due', ...LEASES),
  listOpenBatches: script('list-open-batches'),
  settleBatchLines: script('settle-batch-lines', ...LEASES),
  closeBatch: script('close-batch', ...LEASES),
  restoreBatches: script('restore-batches', ...LEASES),
} as const satisfies Record<string, Script>;

/**
 * Lua makes the functions of a script anew whenever it runs, and looks for each local that they use. So constants are written
 * out, and functions that a script does not use are left out.
 */
function script(name: string, ...shared: readonly string[]): Script {
  const text = readScript(name);
  // The first line, `#!lua`, says how Redis runs it and must stay first.
  const end = text.indexOf('\n') + 1;
  const parts = ['ledger', ...shared].map((part) => readScript(`shared/${part}`));
  const source = text.slice(0, end) + withoutUnused(parts.join(''), text.slice(end));
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

function withoutUnused(parts: string, body: string): string {
  let source = body;
  for (const [piece, name] of [...parts.matchAll(PIECES)].toReversed()) {
    if (name === undefined || new RegExp(`\\b${name}\\b`).test(source)) source = `${piece}\n${source}`;
  }
  return source;
}

/** A script's text without comments, its constants written out. */
function readScript(name: string): string {
  const text = readFileSync(join(import.meta.dirname, 'scripts', `${name}.lua`), 'utf8');
  const code = text.replaceAll(/^ *--.*\n/gm, '');
  return code.replaceAll(/\b[A-Z_]+\b/g, (word) => JSON.stringify(CONSTANTS[word]) ?? word);
}
