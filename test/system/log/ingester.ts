/**
 * One process of crash.test.ts: brings the stream into the log until it is killed, as an operator does.
 *
 *     REDIS_URL=… TOLLGATE_DATABASE_URL=… node test/system/log/ingester.ts
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { readLogPlace } from '../../../config/log-place.ts';
import { LedgerUnreachable } from '../../../ledger/ledger.ts';
import { connectLedger } from '../../../ledger/redis/connect-ledger.ts';
import { LogUnreachable } from '../../../log/database/database.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { UsageLog } from '../../../log/usage-log.ts';

const place = readLogPlace(process.env);
const ledger = connectLedger({ url: process.env['REDIS_URL'] ?? '', installation: 'log', epoch: () => 'log' });
const log = new UsageLog({ open: () => openDatabase(place), ledger: ledger.operator });
process.once('SIGTERM', () => process.exit(0));
for (;;) {
  try {
    const { isCaughtUp } = await log.ingest();
    if (isCaughtUp) await sleep(5);
  } catch (error) {
    if (!(error instanceof LogUnreachable || error instanceof LedgerUnreachable)) throw error;
    await sleep(50);
  }
}
