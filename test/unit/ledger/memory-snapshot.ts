import { MemoryState } from '../../../ledger/memory/state.ts';

/** A copy of all that a ledger in memory holds now. */
export function snapshotOf(state: MemoryState): MemoryState {
  const copy = new MemoryState();
  restoreState(copy, state);
  return copy;
}

/** Returns a ledger to a snapshot, as a server that comes back with older data. */
export function restoreState(state: MemoryState, snapshot: MemoryState): void {
  const { epoch, sequence, sweepPausedUntil, runId, timeline, timelineStart, recovering, usage, refusals } = snapshot;
  const { goneFence } = snapshot;
  Object.assign(state, { epoch, sequence, sweepPausedUntil, runId, timeline, timelineStart, recovering, goneFence });
  state.usage = [...usage];
  state.refusals = [...refusals];
  const copies = new Map<object, object>();
  const saved = mapsOf(snapshot);
  for (const [index, map] of mapsOf(state).entries()) {
    map.clear();
    for (const [key, value] of saved[index]!) map.set(key, deepCopy(value, copies));
  }
}

function mapsOf(state: MemoryState): Map<string, unknown>[] {
  const { recovery, lastChanges, pastLastChanges, beats, reports, fences, presumed, booked, batches, counters } = state;
  const sessions = [recovery, lastChanges, pastLastChanges, beats, reports, fences];
  const money = [presumed, booked, batches, state.batchOwners, counters.pools, counters.values, state.open];
  return [...sessions, ...money, state.tombstones] as Map<string, unknown>[];
}

/**
 * A deep copy with the same prototypes, in which references to one object stay references to one object. `copies`
 * remembers those made so far; pass the same map to copy several values that share objects. Private fields are not copied.
 */
function deepCopy(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [key, deepCopy(one, copies)]));
  if (Array.isArray(value)) return value.map((one) => deepCopy(one, copies));
  const copy = Object.create(Object.getPrototypeOf(value) as object) as Record<string, unknown>;
  copies.set(value, copy);
  for (const [name, one] of Object.entries(value)) copy[name] = deepCopy(one, copies);
  return copy;
}
