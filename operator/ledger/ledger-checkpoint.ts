import type { KubeClient } from '../../kube/client.ts';
import { type ConfigMap, configMaps } from '../cluster/kube-kinds.ts';

/** What the operator remembers of the ledger, outside of it: in ConfigMap tollgate-ledger. */
export interface LedgerCheckpoint {
  readonly epoch: string | null;
  /** The highest sequence seen in the epoch, now and then; 0 until the ledger was seen with the epoch. */
  readonly sequence: number;
  /** When that was, in milliseconds of the ledger's time. */
  readonly at: number;
  /** Another installation's ledger was found, and a person has to say what to do. */
  readonly lost: 'otherEpoch' | null;
}

/** A person sets it, to say that the ledger may go on as it is. */
const CONFIRM = 'tollgate.dev/confirm-ledger';

/** What the ConfigMap says; of one that is not there yet, nothing. */
export function readCheckpoint(object: ConfigMap | undefined): LedgerCheckpoint {
  const { epoch, sequence, at, lost } = object?.data ?? {};
  return {
    epoch: epoch ?? null,
    sequence: Number(sequence ?? 0),
    at: Number(at ?? 0),
    lost: lost === 'otherEpoch' ? lost : null,
  };
}

/** Whether a person has said that the ledger may go on as it is. */
export function isConfirmed({ metadata }: ConfigMap): boolean {
  return metadata.annotations?.[CONFIRM] !== undefined;
}

/** Writes the memory down, and takes the person's word off. Throws a KubeError. */
export async function writeCheckpoint(
  client: Pick<KubeClient, 'merge'>,
  { metadata }: ConfigMap,
  { epoch, sequence, at, lost }: LedgerCheckpoint,
): Promise<void> {
  await client.merge<ConfigMap>(configMaps, metadata, {
    metadata: { resourceVersion: metadata.resourceVersion, annotations: { [CONFIRM]: null } },
    data: { epoch, sequence: String(sequence), at: String(at), lost },
  });
}
