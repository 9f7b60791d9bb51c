import type { KubeClient } from '../../kube/client.ts';
import { type ConfigMap, configMaps } from '../../kube/kinds.ts';
import type { CheckpointStore } from './checkpoint.ts';

interface AnnotationOptions {
  readonly client: Pick<KubeClient, 'merge'>;
  readonly checkpoints: Pick<CheckpointStore, 'object'>;
  /** The annotation's name. */
  readonly name: string;
}

/** An order of a person to the ledger: an annotation of its ConfigMap, which is executed and then removed. */
export class LedgerAnnotation {
  readonly #options: AnnotationOptions;
  /** The version of the ConfigMap whose annotation was executed last. */
  #executedVersion: string | null = null;

  constructor(options: AnnotationOptions) {
    this.#options = options;
  }

  /**
   * Executes the annotation, if there is one, removes it, and then calls what `run` has returned, which tells people. A process
   * that dies in between leaves it to be executed once more. Throws what `run` throws, or a KubeError.
   */
  async execute(run: (text: string) => Promise<(object: ConfigMap) => void>): Promise<void> {
    const { client, checkpoints, name } = this.#options;
    const { object } = checkpoints;
    const text = object?.metadata.annotations?.[name];
    if (object === undefined || text === undefined) return;
    const { resourceVersion = '' } = object.metadata;
    if (resourceVersion === this.#executedVersion) return; // the informer does not have the removal yet
    const tell = await run(text);
    const metadata = { resourceVersion, annotations: { [name]: null } };
    await client.merge<ConfigMap>(configMaps, object.metadata, { metadata });
    this.#executedVersion = resourceVersion;
    tell(object);
  }
}
