/** Message Batches as arguments and replies of the scripts. */

import type { Ref } from '../../policy/core/compiled-policy.ts';
import { decodeNano } from '../../policy/core/money.ts';
import {
  BATCH_OWNER_TTL_MS,
  type BatchLines,
  type BatchOwner,
  type LoggedBatch,
  type OpenBatch,
} from '../message-batches.ts';
import type { Reply } from './connection.ts';

/** The arguments of `settle-batch-lines`. */
export function encodeBatchLines({ batch, from, lines }: BatchLines): string[] {
  return [batch, `${from}`, ...lines.flatMap(({ costNano, record }) => [`${costNano}`, JSON.stringify(record)])];
}

/** The arguments of `restore-batches`. */
export function encodeLoggedBatches(batches: readonly LoggedBatch[]): string[] {
  const list = batches.flatMap((one) => {
    const { batch, id, workspace, meta, settledLines, reservedNano, settled, counters, keepUntil } = one;
    const counterLines = [keepUntil, ...counters].join('\n');
    return [batch, id, workspace, meta, `${settledLines}`, `${reservedNano}`, settled ? '1' : '0', counterLines];
  });
  return [`${BATCH_OWNER_TTL_MS}`, ...list];
}

/** The reply of `open-batches`. */
export function decodeOpenBatches(reply: Reply): OpenBatch[] {
  const batches = reply as readonly [string, string, Ref, string, number, string][];
  return batches.map(([batch, id, workspace, meta, settledLines, reserved]) => {
    return { batch, id, workspace, meta, settledLines, reservedNano: decodeNano(reserved) };
  });
}

/** The value of `:batch:<batch>`: 0 or 1 (settled) and the workspace. */
export function decodeOwner(value: string | null): BatchOwner | null {
  return value === null ? null : { workspace: value.slice(1), settled: value.startsWith('1') };
}
