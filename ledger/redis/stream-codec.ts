/** Entries of the ledger's streams. */

import type { RefusalEntry, RefusalRow, StreamEntry } from '../streams.ts';

type RawEntry = [string, string[]];

export function decodeUsageEntry([entry, fields]: RawEntry): StreamEntry {
  const { record = '{}', booked = '0' } = fieldsOf(fields);
  const [keepUntil, ...counters] = booked.split('\n');
  return { entry, record: parseRecord(record), counters, keepUntil: Number(keepUntil) };
}

export function decodeRefusalEntry([entry, fields]: RawEntry): RefusalEntry {
  return { entry, row: parseRecord(fieldsOf(fields)['row'] ?? '{}') as unknown as RefusalRow };
}

/** An entry that is not JSON must not block those behind it: it decodes to an object without any known field. */
function parseRecord(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return { unreadable: text };
  }
}

function fieldsOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : [])));
}
