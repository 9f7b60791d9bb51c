import type { KubeClient } from '../../kube/client.ts';
import type { OperatorLedger } from '../../ledger/operator-ledger.ts';
import { withoutRest } from '../../log/row-ids.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { OperatorEvents } from '../events/operator-events.ts';
import type { CheckpointStore } from './checkpoint.ts';
import { LedgerAnnotation } from './ledger-annotation.ts';

/** What becomes of presumed money: it is settled at its worst case, or released. */
type Resolution = 'Book' | 'Release';

interface PresumedOptions {
  readonly client: Pick<KubeClient, 'merge'>;
  readonly ledger: Pick<OperatorLedger, 'presumedCalls' | 'resolvePresumed'>;
  readonly settings: Pick<Settings, 'presumedHold'>;
  readonly checkpoints: Pick<CheckpointStore, 'object'>;
  readonly batches: {
    resolve(
      batches: readonly string[],
      how: Resolution,
    ): Promise<{ resolved: readonly string[]; followed: readonly string[] }>;
  };
  readonly events: Pick<
    OperatorEvents,
    'presumedResolved' | 'presumedMistaken' | 'presumedUnknown' | 'batchesFollowed'
  >;
}

/** A person sets this annotation: `book` or `release`, then the ids of calls, or of batches that nothing follows; without ids all calls. */
const RESOLVE = 'tollgate.dev/resolve-presumed';
const COMMANDS: Readonly<Record<string, Resolution>> = { book: 'Book', release: 'Release' };
/** Calls resolved in one step. */
const BATCH = 1_000;

/** Resolves presumed calls, whose cost is not known: when they were held long enough, or when a person asks for it. */
export class PresumedResolver {
  readonly #options: PresumedOptions;
  readonly #annotation: LedgerAnnotation;

  constructor(options: PresumedOptions) {
    this.#options = options;
    this.#annotation = new LedgerAnnotation({ ...options, name: RESOLVE });
  }

  /** Executes the annotation, if there is one, and removes it. Throws LedgerUnreachable or a KubeError. */
  async executeAnnotation(): Promise<void> {
    const { batches, events } = this.#options;
    await this.#annotation.execute(async (text) => {
      const [command = '', ...written] = text.split(/[\s,]+/).filter((part) => part !== '');
      const how = COMMANDS[command.toLowerCase()];
      if (how === undefined) return (object) => events.presumedMistaken(text, object);
      const ids = [...new Set(written.map(withoutRest))];
      if (ids.length === 0) {
        const calls = await this.#resolveAll(how);
        return (object) => events.presumedResolved(how, calls, object);
      }
      const { resolved, followed } = await batches.resolve(ids, how);
      const done = [...resolved, ...(await this.#resolve(how, ids))];
      const unknown = ids.filter((id) => !done.includes(id) && !followed.includes(id));
      return (object) => {
        if (done.length > 0) events.presumedResolved(how, done.length, object);
        if (followed.length > 0) events.batchesFollowed(followed, object);
        if (unknown.length > 0) events.presumedUnknown(unknown, object);
      };
    });
  }

  /** Books the calls whose hold has expired at `now` (milliseconds of the ledger's time). Throws LedgerUnreachable. */
  async bookExpired(now: number): Promise<void> {
    const { ledger, settings, checkpoints, events } = this.#options;
    const { presumedHold } = settings;
    const { object } = checkpoints;
    if (presumedHold === 'PeriodEnd' || object === undefined) return;
    const calls = await ledger.presumedCalls(BATCH);
    const expired = calls.filter(({ presumedSince }) => presumedSince + presumedHold <= now).map(({ id }) => id);
    if (expired.length > 0) events.presumedResolved('Book', await ledger.resolvePresumed(expired, 'Book'), object);
  }

  /** Returns those of the calls that held presumed money. */
  async #resolve(how: Resolution, ids: readonly string[]): Promise<readonly string[]> {
    const resolved: string[] = [];
    for (const id of ids) if ((await this.#options.ledger.resolvePresumed([id], how)) > 0) resolved.push(id);
    return resolved;
  }

  /** Returns how many there were. */
  async #resolveAll(how: Resolution): Promise<number> {
    const { ledger } = this.#options;
    let resolved = 0;
    for (;;) {
      const calls = await ledger.presumedCalls(BATCH);
      const ids = calls.map(({ id }) => id);
      const count = ids.length === 0 ? 0 : await ledger.resolvePresumed(ids, how);
      resolved += count;
      if (count < BATCH) return resolved;
    }
  }
}
