import type { KubeClient } from '../../kube/client.ts';
import { type ConfigMap, configMaps } from '../../kube/kinds.ts';

/** What the operator keeps about the ledger outside of it, in ConfigMap tollgate-ledger. */
export interface Checkpoint {
  readonly epoch: string | null;
  /** The highest sequence seen in the epoch, saved now and then; 0 until the ledger was seen with the epoch. */
  readonly sequence: number;
  /** When that was, in milliseconds of the ledger's time. */
  readonly at: number;
  /** Another installation's ledger was found, and a person has to confirm how to go on. */
  readonly lost: 'otherEpoch' | null;
}

/** A person sets this annotation to confirm that the ledger may be used as it is. */
const CONFIRM = 'tollgate.dev/confirm-ledger';

/** The checkpoint, read from the informer and written to the API server. */
export class CheckpointStore {
  readonly #client: Pick<KubeClient, 'merge'>;
  readonly #find: () => ConfigMap | undefined;

  /** `find`: the ConfigMap from the informer. */
  constructor(client: Pick<KubeClient, 'merge'>, find: () => ConfigMap | undefined) {
    this.#client = client;
    this.#find = find;
  }

  /** The ConfigMap; undefined until the manifests of the installation were applied. */
  get object(): ConfigMap | undefined {
    return this.#find();
  }

  /** The checkpoint in the ConfigMap; an empty one where there is none yet. */
  get current(): Checkpoint {
    const { epoch, sequence, at, lost } = this.object?.data ?? {};
    return {
      epoch: epoch ?? null,
      sequence: Number(sequence ?? 0),
      at: Number(at ?? 0),
      lost: lost === 'otherEpoch' ? lost : null,
    };
  }

  /** The epoch that gateways may use; null while none is established or the ledger is lost. */
  get usableEpoch(): string | null {
    const { epoch, lost } = this.current;
    return lost === null ? epoch : null;
  }

  /** Writes the checkpoint and removes the confirmation. Throws a KubeError. */
  async save({ metadata }: ConfigMap, { epoch, sequence, at, lost }: Checkpoint): Promise<void> {
    await this.#client.merge<ConfigMap>(configMaps, metadata, {
      metadata: { resourceVersion: metadata.resourceVersion, annotations: { [CONFIRM]: null } },
      data: { epoch, sequence: String(sequence), at: String(at), lost },
    });
  }
}

/** Whether a person has confirmed that the ledger may be used as it is. */
export function isConfirmed({ metadata }: ConfigMap): boolean {
  return metadata.annotations?.[CONFIRM] !== undefined;
}
