import type { KubeClient } from '../../kube/client.ts';
import type { OperatorLedger } from '../../ledger/ledger.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { type ConfigMap, configMaps } from '../cluster/kube-kinds.ts';

interface PresumedOptions {
  readonly client: Pick<KubeClient, 'merge'>;
  readonly ledger: Pick<OperatorLedger, 'presumedCalls' | 'resolvePresumed'>;
  readonly settings: Pick<Settings, 'presumedHold'>;
  /** The ConfigMap on which a person writes, from the cache. */
  readonly memory: () => ConfigMap | undefined;
  readonly onResolved: (how: Resolution, calls: number, memory: ConfigMap) => void;
  readonly onMistake: (written: string, memory: ConfigMap) => void;
}

/** What becomes of presumed money: it is booked as spent, or it is given back. */
export type Resolution = 'Book' | 'Release';

/** `book` or `release`, then the ids of the calls; without ids all of them. */
const RESOLVE = 'tollgate.dev/resolve-presumed';
const WORDS: Readonly<Record<string, Resolution>> = { book: 'Book', release: 'Release' };
/** How many calls are looked at in one turn. */
const CHUNK = 1_000;

/** Resolves what is held for calls of which nobody knows the cost: when it was held long enough, or when a person says so. */
export class Presumed {
  readonly #options: PresumedOptions;
  /** The version of the ConfigMap with the word that was obeyed last. */
  #obeyed: string | null = null;

  constructor(options: PresumedOptions) {
    this.#options = options;
  }

  /** Does what a person has asked for, if anything. Throws where the ledger or the API server is out of reach. */
  async obey(): Promise<void> {
    const { client, memory, onMistake, onResolved } = this.#options;
    const object = memory();
    const written = object?.metadata.annotations?.[RESOLVE];
    // The cache may be a moment behind what was done already.
    if (object === undefined || written === undefined || object.metadata.resourceVersion === this.#obeyed) return;
    const { resourceVersion = '' } = object.metadata;
    const [word = '', ...ids] = written.split(/[\s,]+/).filter((part) => part !== '');
    const how = WORDS[word.toLowerCase()];
    const calls = how === undefined ? 0 : await this.#resolve(how, ids);
    const metadata = { resourceVersion, annotations: { [RESOLVE]: null } };
    await client.merge<ConfigMap>(configMaps, object.metadata, { metadata });
    this.#obeyed = resourceVersion;
    if (how === undefined) onMistake(written, object);
    else onResolved(how, calls, object);
  }

  /** Books what was held for long enough at `now`, milliseconds of the ledger's time. Throws as `obey`. */
  async expire(now: number): Promise<void> {
    const { ledger, settings, memory, onResolved } = this.#options;
    const { presumedHold } = settings;
    const object = memory();
    if (presumedHold === 'PeriodEnd' || object === undefined) return;
    const calls = await ledger.presumedCalls(CHUNK);
    const due = calls.filter(({ presumedSince }) => presumedSince + presumedHold <= now).map(({ id }) => id);
    if (due.length > 0) onResolved('Book', await ledger.resolvePresumed(due, 'Book'), object);
  }

  async #resolve(how: Resolution, ids: readonly string[]): Promise<number> {
    const { ledger } = this.#options;
    if (ids.length > 0) return ledger.resolvePresumed(ids, how);
    let resolved = 0;
    for (;;) {
      const calls = await ledger.presumedCalls(CHUNK);
      const ids = calls.map(({ id }) => id);
      const count = ids.length === 0 ? 0 : await ledger.resolvePresumed(ids, how);
      resolved += count;
      if (count < CHUNK) return resolved;
    }
  }
}
