import { KubeError } from '../../kube/kube-error.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import { escapeText } from '../../policy/core/plain-text.ts';
import { checkCertificate } from './certificate-check.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { checkNamespace, checkKinds, checkLease, checkPods, checkServer } from './cluster-checks.ts';
import { type Finding, type Findings, problem, unknown } from './finding.ts';
import { checkMail } from './mail-check.ts';
import { checkNames, checkPrices } from './names-check.ts';
import { checkNetwork } from './network-check.ts';
import { checkConditions, checkFences, checkGateways, checkShards } from './policy-checks.ts';
import { checkRights } from './rights-check.ts';
import { checkBatches, checkLedger, checkLog } from './store-checks.ts';
import { checkUpstreams } from './upstream-check.ts';

export interface Diagnosis extends Finding {
  readonly check: string;
}

/** In the order in which a person would look. */
const checks: readonly (readonly [string, (installation: CheckedInstallation) => Promise<Findings>])[] = [
  ['API server', checkServer],
  ['CRDs', checkKinds],
  ['Namespace', checkNamespace],
  ['Rights', checkRights],
  ['Pods', checkPods],
  ['Lease', checkLease],
  ['Network', checkNetwork],
  ['Ledger', checkLedger],
  ['Usage log', checkLog],
  ['Shards', checkShards],
  ['Fences', checkFences],
  ['Gateways', checkGateways],
  ['Batches', checkBatches],
  ['Upstreams', checkUpstreams],
  ['Certificate', checkCertificate],
  ['Mail', checkMail],
  ['Prices', checkPrices],
  ['Names', checkNames],
  ['Resources', checkConditions],
];

/** Runs all checks; stops after the namespace if Tollgate is not there. `onStep` gets the name of each check. */
export async function runChecks(
  installation: CheckedInstallation,
  onStep: (check: string) => void,
): Promise<readonly Diagnosis[]> {
  const diagnoses: Diagnosis[] = [];
  for (const [check, run] of checks) {
    onStep(check);
    const results: Findings = await run(installation).catch((error: unknown) => [failed(error)]);
    const findings = results.filter((result) => result !== false);
    // Names in it may be those of callers and tenants, and a terminal obeys control characters.
    diagnoses.push(...findings.map((finding) => ({ check, ...finding, message: escapeText(finding.message) })));
    if (run === checkNamespace && findings.some(({ level }) => level === 'Problem')) break;
  }
  return diagnoses;
}

/** The finding for a check whose request failed. Any other error is a bug and is thrown. */
function failed(error: unknown): Finding {
  if (error instanceof LedgerUnreachable)
    return unknown('Redis does not answer, so this cannot be checked.', 'See the check Ledger above.');
  if (!(error instanceof KubeError)) throw error;
  const { kind, message } = error;
  if (kind !== 'Forbidden')
    return problem(`The API server request failed: ${message}.`, 'Check the cluster, and the names in the message.');
  return unknown(`Permission denied: ${message}.`, 'Run it with the rights of an administrator of the installation.');
}
