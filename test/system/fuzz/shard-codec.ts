import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { deepEqual } from '../../../policy/core/deep-equal.ts';
import { decodeKeysShard, decodePolicyShard, decodeSharedShard } from '../../../policy/shards/shard-contents.ts';
import { decodeShard, encodeShard, type ShardData } from '../../../policy/shards/shard-format.ts';
import { ShardSet } from '../../../policy/shards/shard-set.ts';
import { fuzzTarget } from './fuzz.ts';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Also names that a lookup in a plain object would find by itself. */
const NAMES = fc.oneof(
  fc.constantFrom('index', 'epoch', 'payments.checkout', 'budget.a.0', 'prices.book.0', 'constructor', '__proto__', ''),
  fc.string({ maxLength: 20 }),
);
const TEXTS = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('{"limitNano":"1"}', '{"limitNano":"x"}', '{"aNano":"' + '9'.repeat(400) + '"}', '['.repeat(5_000)),
  fc.constantFrom('{"version":1,"budgets":[],"spanning":[]}', '{"keys":{}}', '{"models":[]}', '"e"', '1e999'),
);
const ENTRIES = fc.array(fc.tuple(NAMES, TEXTS), { maxLength: 6 }).map((entries) => new Map(entries));

const DAMAGE = fc.option(
  fc.record({
    kind: fc.constantFrom('flip', 'drop', 'add', 'rename', 'swap', 'replace'),
    at: fc.nat(),
    text: TEXTS,
    name: NAMES,
  }),
);

const INPUTS = fc.record({ entries: ENTRIES, revision: fc.oneof(fc.nat(), fc.double()), damage: DAMAGE });

/**
 * What a shard holds is read as it was written or not at all: no damage is enforced, and nothing in it makes a reader
 * throw, whatever entries there are under a checksum that is right.
 */
export const shardCodec = fuzzTarget('shard-codec', INPUTS, ({ entries, revision, damage }) => {
  const isWritable = !entries.has('index') && Number.isFinite(revision);
  const written = encodeShard(entries, revision, hash);
  const data = damage === null ? written : damaged(written, damage);
  const read = decodeShard(data, hash);
  readAsAll(data);
  if (!isWritable) return true;
  if (!deepEqual(data, written)) return !read.ok;
  if (!read.ok || read.value.revision !== revision) return false;
  const { entries: found } = read.value;
  return found.size === entries.size && [...entries].every(([name, text]) => found.get(name) === text);
});

/** Throws if a reader does. */
function readAsAll(data: ShardData): void {
  decodePolicyShard(data, hash);
  decodeKeysShard(data, hash);
  decodeSharedShard(data, hash);
  const set = new ShardSet(1, hash);
  for (const name of ['tollgate-policy-shared', 'tollgate-policy-0', 'tollgate-keys-0', 'constructor'])
    set.put(name, data);
  void [set.shared, set.policy, set.keysShard('tollgate-keys-0'), set.readable];
}

function damaged(
  written: ShardData,
  { kind, at, text, name }: { kind: string; at: number; text: string; name: string },
): ShardData {
  const entries = Object.entries(written);
  const index = at % entries.length;
  const [hit, old] = entries[index]!;
  const other = entries[(index + 1) % entries.length]!;
  const place = at % Math.max(old.length, 1);
  const flipped = old.slice(0, place) + String.fromCharCode(old.charCodeAt(place) ^ 1) + old.slice(place + 1);
  const changed: Record<string, [string, string][]> = {
    flip: old === '' ? [] : [[hit, flipped]],
    drop: [],
    add: [
      [hit, old],
      [name, text],
    ],
    rename: [[`${hit}x`, old]],
    swap: [
      [hit, other[1]],
      [other[0], old],
    ],
    replace: [[hit, text]],
  };
  return Object.fromEntries([...entries.filter(([one]) => one !== hit), ...changed[kind]!]);
}
