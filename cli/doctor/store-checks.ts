/** Checks the two stores: Redis, which holds the ledger, and the database of the usage log. */

import { type ConfigMap, configMaps } from '../../kube/kinds.ts';
import { undefinedIf } from '../../kube/kube-error.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import { LogUnreachable } from '../../log/database/database.ts';
import { migrationsOf } from '../../log/database/migrate.ts';
import { allowsUpstream } from '../../policy/config/settings.ts';
import { decodeBatchMeta, isSameUpstream } from '../../policy/cost/batch-meta.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Finding, type Findings, counted, fine, listed, problem, unknown, warning } from './finding.ts';

const INSIDE =
  'Run it inside the cluster (helm test), or set REDIS_URL and TOLLGATE_DATABASE_URL to addresses that work from here (after make up: . .run/env).';
/** The most ids in a command. */
const MOST_BATCHES = 5;
const RECOVER = 'docs/how-to/recover-the-ledger.md';

export async function checkLedger(installation: CheckedInstallation): Promise<Findings> {
  const { redis, settings } = installation;
  if (redis === undefined) return [unknown('Redis cannot be checked from here: REDIS_URL is not set.', INSIDE)];
  const { ledger, problem: reason } = redis;
  if (reason !== undefined) return [unreachable(reason)];
  try {
    const [state, server] = [await ledger.operator.state(), await ledger.server()];
    const { epoch, recovering, streamLength, presumedCount } = state;
    return [
      epochFinding(epoch, await checkpointEpoch(installation)),
      recovering !== null &&
        problem(
          'The ledger is recovering; calls wait.',
          `${recovering.deep ?? 'The gateways replay their changes'}: ${RECOVER}.`,
        ),
      streamLength * 2 >= settings.usageStreamLimit &&
        problem(
          `${counted(streamLength, 'usage record waits', 'usage records wait')} for the usage log. At ${settings.usageStreamLimit} (usageStreamLimit) all calls are refused.`,
          'See the check Usage log below, and the log of the leading operator.',
        ),
      presumedCount > 0 &&
        warning(
          `${counted(presumedCount, 'call of unknown cost holds', 'calls of unknown cost hold')} presumed money.`,
          'docs/how-to/resolve-presumed.md says how to resolve it before presumedHold does.',
        ),
      ...serverFindings(server),
    ];
  } catch (error) {
    if (!(error instanceof LedgerUnreachable)) throw error;
    return [unreachable(error.message)];
  }
}

/** Checks that something follows each open Message Batch: else it holds its worst case for weeks. */
export async function checkBatches(installation: CheckedInstallation): Promise<Findings> {
  const { ledger, settings } = installation;
  if (ledger === undefined) return [];
  const open = await ledger.operator.openBatches();
  const { policy } = await installation.shards();
  const shards = [...policy.values()].flatMap((shard) => (shard.ok ? [shard.value.workspaces] : []));
  // The check of the shards says so; their workspaces only seem to be gone.
  if (shards.length < policy.size) return [];
  const lost = open.filter(({ workspace, meta }) => {
    const own = shards.flatMap((workspaces) => workspaces.get(workspace) ?? [])[0];
    const batch = decodeBatchMeta(meta);
    return own === undefined || !isSameUpstream(own, batch) || !allowsUpstream(settings, batch.baseURL);
  });
  if (lost.length === 0) return [fine(`${open.length} Message Batches are open.`)];
  const named = listed(lost.map(({ batch, workspace }) => `${batch} (${workspace})`));
  const ids = lost.slice(0, MOST_BATCHES).map(({ batch }) => batch);
  return [
    warning(
      `Message Batches that nothing follows, because their workspace is gone or has another upstream now, hold their worst case: ${named}.`,
      `Set its spec.upstream back, or resolve them: kubectl annotate configmap tollgate-ledger -n ${settings.namespace} tollgate.dev/resolve-presumed='book ${ids.join(' ')}', or 'release …' if the upstream did not bill them (docs/how-to/resolve-presumed.md).`,
    ),
  ];
}

function unreachable(why: string): Finding {
  const remedy = 'Check the Pod, the URL with its password, and network policies (docs/how-to/redis.md).';
  return problem(`Redis does not answer: ${why}.`, remedy);
}

/** The epoch that the operator expects; undefined if it knows none. */
async function checkpointEpoch({ client, namespace }: CheckedInstallation): Promise<string | undefined> {
  const ref = { namespace, name: 'tollgate-ledger' };
  const found = await client.get<ConfigMap>(configMaps, ref).catch(undefinedIf('NotFound'));
  return found?.data?.['epoch'];
}

function epochFinding(epoch: string | null, expected: string | undefined): Finding {
  if (epoch === null) return problem('The ledger is empty: no operator has established it, or it was lost.', RECOVER);
  if (epoch === (expected ?? epoch)) return fine('Redis holds the ledger of this installation.');
  return problem("Redis holds another ledger than this installation's.", RECOVER);
}

function serverFindings({
  version,
  hasAppendOnlyFile,
  evictionPolicy,
  usedMemory,
  maxMemory,
}: Awaited<ReturnType<NonNullable<CheckedInstallation['ledger']>['server']>>): Findings {
  const major = Number(/^\d+/.exec(version)?.[0] ?? 7);
  return [
    evictionPolicy !== 'noeviction' &&
      problem(`Redis evicts keys (${evictionPolicy}), so money can be lost.`, 'Set maxmemory-policy noeviction.'),
    !hasAppendOnlyFile &&
      warning(
        'Redis has no append-only file.',
        'Set appendonly yes: without it each restart needs a rebuild from the usage log.',
      ),
    major < 7 && problem(`Redis is ${version}.`, 'Upgrade it to 7 or later, or to Valkey.'),
    maxMemory !== null &&
      usedMemory > 0.8 * maxMemory &&
      warning(
        `Redis uses ${Math.round((usedMemory / maxMemory) * 100)} % of its memory.`,
        'Raise maxmemory: when Redis is full, all calls are refused.',
      ),
  ];
}

export async function checkLog({ queryLog, databaseUrl }: CheckedInstallation): Promise<Findings> {
  if (queryLog === undefined)
    return [unknown('The usage log cannot be checked from here: TOLLGATE_DATABASE_URL is not set.', INSIDE)];
  try {
    // Each statement runs in a transaction that is read-only anyway, so it asks for what makes the others read-only.
    const [mode] = await queryLog<{ refuses: boolean }>(
      `select pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on' as refuses`,
    );
    if (mode?.refuses === true) {
      const remedy = 'Name the primary in its URL, or unset default_transaction_read_only.';
      return [problem('The database accepts no writes.', remedy)];
    }
    const { missing, unknown: newer } = await migrationsOf(queryLog);
    if (missing.length > 0) {
      const remedy = 'The leading operator migrates them: check its log.';
      return [problem(`The tables lack the migrations ${listed(missing)}.`, remedy)];
    }
    const [deadLetters] = await queryLog<{ count: number }>('select count(*)::int as count from dead_letters');
    return [
      newer.length > 0
        ? warning(`The tables have migrations of a newer version (${listed(newer)}).`, 'Upgrade the operators.')
        : fine('The database answers, and its tables are up to date.'),
      deadLetters !== undefined &&
        deadLetters.count > 0 &&
        warning(
          `${counted(deadLetters.count, 'record is', 'records are')} in dead_letters.`,
          'Their column problem says why; see runbook TollgateDeadLetters.',
        ),
    ];
  } catch (error) {
    if (!(error instanceof LogUnreachable)) throw error;
    const remedy =
      databaseUrl === undefined
        ? 'Check TOLLGATE_USAGE_LOG_FOLDER, and the log of the operator that has the folder open.'
        : 'Check the Pod, TOLLGATE_DATABASE_URL and network policies (docs/how-to/query-the-log.md).';
    return [problem(`The database does not answer: ${error.message}.`, remedy)];
  }
}
