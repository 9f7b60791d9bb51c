import type { LivingGateway } from '../ledger/ledger.ts';
import type { Proof } from '../policy/compile.ts';
import type { Ref } from '../policy/compiled.ts';
import type { Finding } from '../policy/conditions.ts';
import type { EndpointSlice } from './resources.ts';

/** Who enforces, as far as is known. */
export interface Enforcers {
  /** The fences that stand in the ledger. */
  readonly fences: ReadonlyMap<Ref, number>;
  /** Pods behind the gateway's Service that serve. */
  readonly pods: ReadonlySet<string>;
  /** The gateways that beat. */
  readonly reports: readonly LivingGateway[];
}

/** What Programmed is asked of: a workspace or a budget as it was compiled. */
export interface Subject {
  /** Names the object, its generation and the workspaces that it must reach: a proof for one is not one for another. */
  readonly identity: string;
  readonly accepted: Finding<'Accepted'>;
  readonly proof: readonly Proof[];
  /** Says why nothing of it is in force although it is accepted; null where something may be. */
  readonly without: Finding<'Programmed'> | null;
}

/** The pods that serve, of the EndpointSlices of the gateway's Service. */
export function podsOf(slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const endpoints = slices.flatMap(({ endpoints = [] }) => endpoints);
  const serving = endpoints.filter(({ conditions }) => conditions?.ready !== false);
  return new Set(serving.flatMap(({ targetRef }) => targetRef?.name ?? []));
}

/**
 * The condition Programmed. Once proven it stays: later versions of a workspace hold the same budget, and the fence
 * keeps every gateway that has not got so far from admitting anything.
 */
export class Programming {
  readonly #proven = new Map<string, string>();

  /** `key` names the object, whatever its generation. */
  finding(key: string, subject: Subject, enforcers: Enforcers): Finding<'Programmed'> {
    if (subject.accepted.reason !== 'Accepted') {
      return {
        reason: 'NotAccepted',
        message: 'This generation is not accepted; what was accepted last stays in force.',
      };
    }
    if (subject.without !== null) return subject.without;
    const missing = this.#proven.get(key) === subject.identity ? null : pending(subject.proof, enforcers);
    if (missing !== null) return { reason: 'Pending', message: missing };
    this.#proven.set(key, subject.identity);
    return { reason: 'Programmed', message: 'Every gateway enforces this generation.' };
  }

  /** Forgets an object that is gone. */
  forget(key: string): void {
    this.#proven.delete(key);
  }
}

/** What is still missing, in a sentence; null where all of it is proven. */
function pending(proof: readonly Proof[], { fences, pods, reports }: Enforcers): string | null {
  const unfenced = proof.find(({ workspace, version }) => (fences.get(workspace) ?? 0) < version);
  if (unfenced !== undefined)
    return `The fence of ${unfenced.workspace} is not written yet: the ledger did not answer.`;
  if (pods.size === 0 && reports.length === 0) return 'No gateway is running.';
  const silent = [...pods].filter((pod) => !reports.some((report) => report.pod === pod));
  if (silent.length > 0) return `Gateway ${silent.slice(0, 3).join(', ')} has not reported yet.`;
  const behind = reports.filter(({ shards }) => proof.some(({ shard, version }) => (shards[shard] ?? 0) < version));
  if (behind.length === 0) return null;
  const names = behind.slice(0, 3).map(({ pod }) => pod);
  return `Gateway ${names.join(', ')} does not enforce it yet.`;
}
