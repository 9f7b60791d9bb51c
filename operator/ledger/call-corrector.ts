import type { KubeClient } from '../../kube/client.ts';
import type { ConfigMap } from '../../kube/kinds.ts';
import type { OperatorLedger } from '../../ledger/operator-ledger.ts';
import { type Corrected, type Correction, type NotCorrected, notCorrected } from '../../log/corrections.ts';
import { HELD, REST, withoutRest } from '../../log/row-ids.ts';
import type { UsageLog } from '../../log/usage-log.ts';
import { add, ZERO } from '../../policy/core/money.ts';
import type { OperatorEvents } from '../events/operator-events.ts';
import type { CheckpointStore } from './checkpoint.ts';
import { readCorrections } from './correction-text.ts';
import { LedgerAnnotation } from './ledger-annotation.ts';

interface CorrectorOptions {
  readonly client: Pick<KubeClient, 'merge'>;
  readonly ledger: Pick<OperatorLedger, 'resolvePresumed' | 'endBooked' | 'correctCounters'>;
  readonly log: Pick<UsageLog, 'catchUp' | 'correctable' | 'correct' | 'corrected'>;
  readonly checkpoints: Pick<CheckpointStore, 'object'>;
  readonly events: Pick<OperatorEvents, 'callsCorrected' | 'callNotCorrected' | 'correctionMistaken'>;
  readonly metrics: { countCorrected(corrected: readonly Corrected[]): void };
}

/** A person sets this annotation: `<call id> <usd> <reason>`, a line for each call. */
const CORRECT = 'tollgate.dev/correct';

/**
 * Corrects what calls cost, where a person asks for it. The usage log is corrected first, in one transaction: it remembers what
 * was corrected in each counter. The ledger is then brought to the same, and again whenever it has lost that. So every step may
 * be repeated, by this operator or by its successor.
 */
export class CallCorrector {
  readonly #options: CorrectorOptions;
  readonly #annotation: LedgerAnnotation;

  constructor(options: CorrectorOptions) {
    this.#options = options;
    this.#annotation = new LedgerAnnotation({ ...options, name: CORRECT });
  }

  /** Executes the annotation at `now` (milliseconds), if there is one, and removes it. Throws LedgerUnreachable, LogUnreachable or a KubeError. */
  async executeAnnotation(now: number): Promise<void> {
    const { events } = this.#options;
    await this.#annotation.execute(async (text) => {
      const corrections = readCorrections(text);
      if ('problem' in corrections)
        return (object) => events.correctionMistaken(corrections.line, corrections.problem, object);
      return this.#correct(corrections, now);
    });
  }

  /** Brings the ledger to what the usage log says of corrections at `now` (milliseconds). Throws LedgerUnreachable or LogUnreachable. */
  async apply(now: number): Promise<void> {
    const { ledger, log } = this.#options;
    await ledger.correctCounters(await log.corrected(now));
  }

  /** Returns what tells people. */
  async #correct(corrections: readonly Correction[], now: number): Promise<(object: ConfigMap) => void> {
    const { log, events, metrics } = this.#options;
    await this.#catchUp();
    const rows = await this.#rowsOf(corrections);
    const mistaken = await this.#endCalls(rows);
    if (mistaken !== null) return (object) => events.callNotCorrected(mistaken, object);
    const result = await log.correct(rows, now);
    if ('problem' in result) return (object) => events.callNotCorrected(result, object);
    metrics.countCorrected(result);
    await this.apply(now);
    return (object) => events.callsCorrected(joined(corrections, result), object);
  }

  /** The rows to correct: what stayed presumed of a call is a row of its own, and a part of what the call is said to have cost. */
  async #rowsOf(corrections: readonly Correction[]): Promise<readonly Correction[]> {
    const rests = corrections
      .map((correction) => ({ ...correction, id: `${correction.id}${REST}`, costNano: ZERO }))
      .filter(({ id }) => !corrections.some((one) => one.id === id));
    const found = await this.#options.log.correctable(rests.map(({ id }) => id));
    return [...corrections, ...rests.filter(({ id }) => found.has(id))];
  }

  /**
   * Ends the calls in the ledger whose cost is not known: presumed ones are booked, and what a settle says later is too late.
   * Returns the first correction that cannot be made; then none is ended.
   */
  async #endCalls(rows: readonly Correction[]): Promise<NotCorrected | null> {
    const { ledger, log } = this.#options;
    const calls = await log.correctable(rows.map(({ id }) => id));
    for (const row of rows) {
      const mistaken = notCorrected(row, calls.get(row.id));
      if (mistaken !== null && (mistaken.problem !== 'Presumed' || row.id.endsWith(HELD))) return mistaken;
    }
    const open = [...calls].filter(([, { state }]) => state !== 'final');
    if (open.length === 0) return null;
    const presumed = open.filter(([, { state }]) => state === 'presumed').map(([id]) => id);
    await ledger.resolvePresumed(presumed.map(withoutRest), 'Book');
    await ledger.endBooked(open.map(([id]) => id).filter((id) => withoutRest(id) === id));
    await this.#catchUp();
    return null;
  }

  /** The log has what the ledger knows. */
  async #catchUp(): Promise<void> {
    if (!(await this.#options.log.catchUp())) throw new Error('the usage log is behind, so calls are corrected later');
  }
}

/** What became of each call: the rows of rests that were added stand behind the others. */
function joined(corrections: readonly Correction[], rows: readonly Corrected[]): Corrected[] {
  const rests = new Map(rows.slice(corrections.length).map(({ id, fromNano }) => [id, fromNano]));
  return rows.slice(0, corrections.length).map((row) => {
    return { ...row, fromNano: add(row.fromNano, rests.get(`${row.id}${REST}`) ?? ZERO) };
  });
}
