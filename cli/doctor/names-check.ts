/** Checks the files that an administrator may replace (prices, names), and the names in calls that this version does not know. */

import { type ConfigMap, configMaps } from '../../kube/kinds.ts';
import { undefinedIf } from '../../kube/kube-error.ts';
import { LogUnreachable } from '../../log/database/database.ts';
import { countUnknownNames, type UnknownName } from '../../log/unknown-names.ts';
import { NAMES_FILE } from '../../policy/names/name-list.ts';
import { PRICES_FILE } from '../../policy/prices/price-book-file.ts';
import { type OwnFileKind, ownFileProblem } from '../../policy/schema/own-file.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Finding, type Findings, counted, fine, listed, warning } from './finding.ts';

const DAY_MS = 86_400_000;
/** The list of harmless names takes no longer ones. */
const MOST_CHARACTERS = 160;
const PAGE = 'docs/how-to/unknown-names.md';

/** Checks the installation's own price book, if it has one. */
export async function checkPrices(installation: CheckedInstallation): Promise<Findings> {
  const refused = await ownFileFinding(installation, 'tollgate-prices', PRICES_FILE, 'docs/how-to/replace-prices.md');
  return [refused, refused === false && fine('The installation has no invalid price book.')];
}

export async function checkNames(installation: CheckedInstallation): Promise<Findings> {
  const { shared } = await installation.shards();
  const refused = shared.ok ? [...shared.value.names.values()].flatMap(({ list }) => [...list.exceeded]) : [];
  const seen = await seenNames(installation);
  return [
    await ownFileFinding(installation, 'tollgate-names', NAMES_FILE, PAGE),
    refused.length > 0 &&
      warning(
        `Names that every workspace is refused, because a call with one cost more than its highest bound: ${listed([...new Set(refused)])}.`,
        `List one as harmless in ConfigMap tollgate-names only if its cost is bounded; else tell its callers to leave it out (${PAGE}).`,
      ),
    seen !== null && seenFinding(seen),
  ];
}

async function ownFileFinding(
  { client, namespace }: CheckedInstallation,
  name: string,
  kind: OwnFileKind,
  page: string,
): Promise<Finding | false> {
  const own = await client.get<ConfigMap>(configMaps, { namespace, name }).catch(undefinedIf('NotFound'));
  const found = own && ownFileProblem(kind, own.data);
  return found !== undefined && warning(`ConfigMap ${name}: ${found}`, `Correct it (${page}); it is in force at once.`);
}

/** The names of the last day; null if the usage log cannot be read, which the check of it says. */
async function seenNames({ queryLog, now }: CheckedInstallation): Promise<readonly UnknownName[] | null> {
  if (queryLog === undefined) return null;
  try {
    return await countUnknownNames(queryLog, now() - DAY_MS);
  } catch (error) {
    if (error instanceof LogUnreachable) return null;
    throw error;
  }
}

function seenFinding(seen: readonly UnknownName[]): Finding {
  if (seen.length === 0) return fine('No call of the last day had a name that Tollgate does not know.');
  const names = seen.map(({ name, calls, workspace, workspaces }) => {
    const others = workspaces > 1 ? ` and ${workspaces - 1} more` : '';
    return `${name.slice(0, MOST_CHARACTERS)} (${counted(calls, 'call')} of ${workspace}${others})`;
  });
  return warning(
    `Names that Tollgate does not know, for which calls of the last day reserved the highest bound: ${listed(names)}.`,
    `List what costs nothing beyond its bytes as harmless in ConfigMap tollgate-names; forbid the others by requests.unknownFields: Refuse (${PAGE}).`,
  );
}
