import { KubeError, isKubeError } from '../../kube/kube-error.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import { checkCertificate } from './certificate-check.ts';
import { checkNamespace, checkKinds, checkLease, checkPods, checkServer } from './cluster-checks.ts';
import { type Finding, problem, unknown } from './finding.ts';
import type { Installation } from './installation.ts';
import { checkMail } from './mail-check.ts';
import { checkConditions, checkFences, checkGateways, checkShards } from './policy-checks.ts';
import { checkRights } from './rights-check.ts';
import { checkLedger, checkLog } from './store-checks.ts';

/** A finding and what was looked at. */
export interface Diagnosis extends Finding {
  readonly check: string;
}

/** In the order in which a person would look. */
const checks: readonly (readonly [string, (patient: Installation) => Promise<readonly Finding[]>])[] = [
  ['API server', checkServer],
  ['CRDs', checkKinds],
  ['Namespace', checkNamespace],
  ['Rights', checkRights],
  ['Pods', checkPods],
  ['Lease', checkLease],
  ['Ledger', checkLedger],
  ['Usage log', checkLog],
  ['Shards', checkShards],
  ['Fences', checkFences],
  ['Gateways', checkGateways],
  ['Certificate', checkCertificate],
  ['Mail', checkMail],
  ['Resources', checkConditions],
];

/** Looks at everything, or until there is nothing to look at; `onStep` is told what is looked at next. */
export async function examine(patient: Installation, onStep: (check: string) => void): Promise<readonly Diagnosis[]> {
  const diagnoses: Diagnosis[] = [];
  for (const [check, look] of checks) {
    onStep(check);
    const findings = await look(patient).catch((error: unknown) => [failed(error)]);
    diagnoses.push(...findings.map((finding) => ({ check, ...finding })));
    if (look === checkNamespace && findings.some(({ level }) => level === 'Problem')) break;
  }
  return diagnoses;
}

/** What it means that somebody did not answer a check's question. Any other error is a fault of ours. */
function failed(error: unknown): Finding {
  if (isKubeError(error, 'Forbidden'))
    return unknown(`You may not look: ${error.message}.`, 'Run it as an administrator of the installation.');
  if (error instanceof LedgerUnreachable)
    return unknown('Redis does not answer, so this is not known.', 'See the ledger above.');
  if (error instanceof KubeError)
    return problem(
      `The API server does not say: ${error.message}.`,
      'Check the cluster, and the names in the message.',
    );
  throw error;
}
