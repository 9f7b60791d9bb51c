/** The two stores: Redis, which is the ledger, and the database of the usage log. */

import { isKubeError } from '../../kube/kube-error.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import { LogUnreachable } from '../../log/database/database.ts';
import { migrationsOf } from '../../log/database/migrate.ts';
import { openDatabase } from '../../log/database/open-database.ts';
import { type Finding, fine, listed, problem, unknown, warning } from './finding.ts';
import type { Installation } from './installation.ts';
import { configMaps, type Holder } from './kube-kinds.ts';

const INSIDE =
  'Run it inside of the cluster (helm test), or set REDIS_URL and TOLLGATE_DATABASE_URL to ways in from here.';
const RECOVER = 'docs/how-to/recover-the-ledger.md';

/** Redis, and the ledger in it. */
export async function checkLedger(patient: Installation): Promise<Finding[]> {
  const { way, settings } = patient;
  if (way === undefined) return [unknown('Redis is out of sight from here.', INSIDE)];
  const { ledger, trouble } = way;
  if (trouble !== undefined) return [unreachable(trouble)];
  try {
    const [state, facts] = [await ledger.state(), await ledger.server()];
    const memory = await memoryOf(patient);
    return [
      ...epochFindings(state.epoch, memory),
      ...(state.recovering === null
        ? []
        : [
            problem(
              'The ledger is being made whole; calls wait.',
              `${state.recovering.deep ?? 'Gateways tell it what they did'}: ${RECOVER}.`,
            ),
          ]),
      ...streamFindings(state.streamLength, settings.usageStreamLimit),
      ...(state.presumedCount > 0
        ? [
            warning(
              `${state.presumedCount} calls hold money whose cost nobody knows.`,
              'docs/how-to/resolve-presumed.md says how to resolve it sooner than by presumedHold.',
            ),
          ]
        : []),
      ...serverFindings(facts),
    ];
  } catch (error) {
    if (!(error instanceof LedgerUnreachable)) throw error;
    return [unreachable(error.message)];
  }
}

function unreachable(why: string): Finding {
  const remedy = 'Check the Pod, the URL with its password, and network policies (docs/how-to/redis.md).';
  return problem(`Redis does not answer: ${why}.`, remedy);
}

/** The epoch in which the operator expects the ledger; null where it knows none. */
async function memoryOf({ client, namespace }: Installation): Promise<string | null> {
  try {
    const { data } = await client.get<Holder>(configMaps, { namespace, name: 'tollgate-ledger' });
    return data?.['epoch'] ?? null;
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return null;
    throw error;
  }
}

function epochFindings(epoch: string | null, remembered: string | null): Finding[] {
  if (epoch === null) return [problem('The ledger is empty: no operator has established it, or it was lost.', RECOVER)];
  if (remembered !== null && remembered !== epoch)
    return [problem("Redis holds another ledger than this installation's.", RECOVER)];
  return [fine('Redis holds the ledger of this installation.')];
}

function streamFindings(waiting: number, limit: number): Finding[] {
  if (waiting * 2 < limit) return [];
  const message = `${waiting} usage records wait for the log; at ${limit} calls are refused.`;
  return [problem(message, 'See the usage log below, and the log of the leading operator.')];
}

function serverFindings({
  version,
  keepsFile,
  evictionPolicy,
  usedMemory,
  maxMemory,
}: Awaited<ReturnType<NonNullable<Installation['ledger']>['server']>>): Finding[] {
  const major = Number(/^\d+/.exec(version)?.[0] ?? 7);
  return [
    ...(evictionPolicy === 'noeviction'
      ? []
      : [problem(`Redis evicts (${evictionPolicy}), so it forgets money.`, 'Set maxmemory-policy noeviction.')]),
    ...(keepsFile
      ? []
      : [
          warning(
            'Redis keeps no append-only file.',
            'Set appendonly yes: without it each restart is a rebuild from the log.',
          ),
        ]),
    ...(major < 7 ? [problem(`Redis is ${version}.`, 'Upgrade it to 7 or later, or to Valkey.')] : []),
    ...(maxMemory !== null && usedMemory > 0.8 * maxMemory
      ? [
          warning(
            `Redis uses ${Math.round((usedMemory / maxMemory) * 100)} % of its memory.`,
            'Raise maxmemory: when it is full reservations are refused.',
          ),
        ]
      : []),
  ];
}

/** The usage log. */
export async function checkLog({ databaseUrl }: Installation): Promise<Finding[]> {
  if (databaseUrl === undefined) return [unknown("The usage log's database is out of sight from here.", INSIDE)];
  const database = await openDatabase({ url: databaseUrl });
  try {
    const [mode] = await database.query<{ transaction_read_only: string }>('show transaction_read_only');
    if (mode?.transaction_read_only === 'on')
      return [
        problem('The database takes no writes.', 'Name the primary in its URL, or end default_transaction_read_only.'),
      ];
    const { missing, unknown: newer } = await migrationsOf(database);
    if (missing.length > 0)
      return [
        problem(`The tables lack ${listed(missing)}.`, 'The leading operator brings them up to date: see its log.'),
      ];
    const [letters] = await database.query<{ count: number }>('select count(*)::int as count from dead_letters');
    return [
      newer.length > 0
        ? warning(`A newer version has brought the tables further (${listed(newer)}).`, 'Upgrade the operators.')
        : fine('The database answers, and its tables are up to date.'),
      ...((letters?.count ?? 0) > 0
        ? [
            warning(
              `${letters?.count} records lie in dead_letters.`,
              'Their column problem says why; their money is counted (docs/reference/usage-log.md).',
            ),
          ]
        : []),
    ];
  } catch (error) {
    if (!(error instanceof LogUnreachable)) throw error;
    return [
      problem(
        `The database does not answer: ${error.message}.`,
        'Check the Pod, TOLLGATE_DATABASE_URL and network policies (docs/how-to/query-the-log.md).',
      ),
    ];
  } finally {
    await database.close();
  }
}
