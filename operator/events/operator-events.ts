import type { Logger } from 'pino';
import { workspaces } from '../../crds/kinds.gen.ts';
import type { ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { EventDetails, Events } from '../../kube/events.ts';
import { type ConfigMap, configMaps } from '../../kube/kinds.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import type { LostReason } from '../../ledger/ledger.ts';
import type { OpenBatch } from '../../ledger/message-batches.ts';
import type { DeadLetter } from '../../log/call-row.ts';
import type { Corrected, NotCorrected } from '../../log/corrections.ts';
import { escapeText } from '../../policy/core/plain-text.ts';
import { PRICES } from '../cluster/object-names.ts';
import { correctedNote, notCorrectedNote } from './correction-notes.ts';

interface OperatorEventsParts {
  readonly events: Pick<Events, 'record'>;
  readonly workspaces: { get(ref: string): ClaudeWorkspace | undefined };
  readonly log: Logger;
}

/** Tells people what the operator did or found: an Event, of the ledger on its ConfigMap, and a line in the log. */
export class OperatorEvents {
  readonly #parts: OperatorEventsParts;

  constructor(parts: OperatorEventsParts) {
    this.#parts = parts;
  }

  keyIssued(workspace: ClaudeWorkspace, key: string, secret: string, how: 'issued' | 'replaced'): void {
    const isNew = how === 'issued';
    const note = isNew
      ? `Key ${key} was issued into Secret ${secret}.`
      : `Secret ${secret} held a value that Tollgate did not issue, so key ${key} was replaced and its old value revoked.`;
    this.#normal(workspaces, workspace, isNew ? 'KeyIssued' : 'KeyReplaced', 'IssueKey', note);
  }

  /** A backup brought the Secret back. */
  keyAdopted(workspace: ClaudeWorkspace, key: string, secret: string): void {
    const note = `Secret ${secret} was restored without its owner; its key ${key} goes on working.`;
    this.#normal(workspaces, workspace, 'KeyAdopted', 'IssueKey', note);
  }

  keyDenied(workspace: ClaudeWorkspace, note: string): void {
    this.#warning(workspaces, workspace, 'KeySecretDenied', 'IssueKey', note);
  }

  keyRevoked(workspace: ClaudeWorkspace, secret: string): void {
    const note = `The key in Secret ${secret} was revoked and the Secret deleted.`;
    this.#normal(workspaces, workspace, 'KeyRevoked', 'RevokeKey', note);
  }

  batchSettled(open: OpenBatch, results: number): void {
    const { batch } = open;
    const workspace = this.#ownerOf(open);
    if (workspace === undefined) return;
    const note = `Batch ${batch} has ended and its ${results} results are settled.`;
    this.#normal(workspaces, workspace, 'BatchSettled', 'Settle', note);
  }

  /** What was left of the worst case was booked, because the batch's cost will never be known. */
  batchLost(open: OpenBatch): void {
    const { workspace: ref, batch } = open;
    const workspace = this.#ownerOf(open);
    const note = `The results of batch ${batch} cannot be read, so the rest of its worst case was booked as spent.`;
    if (workspace === undefined) this.#parts.log.error({ workspace: ref, reason: 'BatchLost' }, note);
    else this.#warning(workspaces, workspace, 'BatchLost', 'Settle', note);
  }

  /** A person has given back what a batch held that nothing follows. */
  batchReleased(open: OpenBatch): void {
    const { workspace: ref, batch } = open;
    const workspace = this.#ownerOf(open);
    const note = `What batch ${batch} held was released by the platform team, since nothing follows it.`;
    if (workspace === undefined) this.#parts.log.info({ workspace: ref, reason: 'BatchReleased' }, note);
    else this.#normal(workspaces, workspace, 'BatchReleased', 'Settle', note);
  }

  /** Nothing follows the batch: the workspace's key is not for the upstream that has it. */
  batchElsewhere(open: OpenBatch, origin: string): void {
    const { workspace: ref, batch } = open;
    const workspace = this.#ownerOf(open);
    const note = `Batch ${batch} was created at ${origin}, which is no longer the upstream of this workspace, so the key does not go there and the batch is not settled. What it holds stays reserved. Set spec.upstream back to ${origin} with its key until the batch is settled, or have the platform team resolve it (docs/how-to/resolve-presumed.md). Otherwise it is booked as spent after 29 days, or after the setting presumedHold.`;
    if (workspace === undefined) this.#parts.log.error({ workspace: ref, reason: 'BatchElsewhere' }, note);
    else this.#warning(workspaces, workspace, 'BatchElsewhere', 'Settle', note);
  }

  /** Entries of the ledger's streams that the usage log could not take, or not completely. */
  deadLettered(deadLetters: readonly DeadLetter[]): void {
    for (const { entry, problem } of deadLetters) {
      this.#parts.log.error({ entry, problem }, 'a record was kept in dead_letters: see runbook TollgateDeadLetters');
    }
  }

  ledgerEstablished(checkpoint: ConfigMap): void {
    const note = 'A new ledger was established in Redis with a new epoch.';
    this.#normal(configMaps, checkpoint, 'LedgerEstablished', 'Establish', note);
  }

  ledgerLost(reason: LostReason, checkpoint: ConfigMap): void {
    const note = `Redis holds another ledger (${reason}). All calls are refused until it is confirmed: annotate this ConfigMap with tollgate.dev/confirm-ledger.`;
    this.#warning(configMaps, checkpoint, 'LedgerLost', 'Compare', note);
  }

  /** `reason`: what the gateways cannot restore by themselves, or null. */
  ledgerRecovering(reason: string | null, checkpoint: ConfigMap): void {
    const loss = `Redis lost data that the gateways cannot replay (${reason})`;
    const cause = reason === null ? 'Redis was restarted or failed over' : loss;
    const note = `${cause}. Calls wait until the ledger has recovered.`;
    this.#warning(configMaps, checkpoint, 'LedgerRecovering', 'Compare', note);
  }

  ledgerRecovered(how: RecoveredBy, elapsedMs: number, checkpoint: ConfigMap): void {
    const { reason, note } = RECOVERED[how];
    this.#normal(configMaps, checkpoint, reason, 'Recover', `${note} ${elapsedMs} ms.`);
  }

  presumedResolved(how: 'Book' | 'Release', calls: number, checkpoint: ConfigMap): void {
    const done = how === 'Book' ? 'booked as spent at the worst case' : 'released';
    const note = `${calls} presumed ${calls === 1 ? 'call was' : 'calls were'} ${done}.`;
    this.#normal(configMaps, checkpoint, 'PresumedResolved', 'Resolve', note);
  }

  /** A person wanted to resolve batches that will be settled from their results. */
  batchesFollowed(batches: readonly string[], checkpoint: ConfigMap): void {
    const note = `Not resolved, because they are followed at their upstream and will be settled from their results: ${batches.slice(0, 5).join(', ')}.`;
    this.#warning(configMaps, checkpoint, 'PresumedNotResolved', 'Resolve', note);
  }

  /** A person named ids of which no call holds presumed money. */
  presumedUnknown(ids: readonly string[], checkpoint: ConfigMap): void {
    const more = ids.length > 5 ? ` and ${ids.length - 5} more` : '';
    const shown = ids.slice(0, 5).map((id) => id.slice(0, 100));
    const note = `Not resolved, because nothing is presumed of ${shown.join(', ')}${more}: the id is wrong, or the call was settled or resolved before. tollgate query presumed has the ids (docs/how-to/resolve-presumed.md).`;
    this.#warning(configMaps, checkpoint, 'PresumedNotResolved', 'Resolve', note);
  }

  /** `annotation`: what a person wrote. */
  presumedMistaken(annotation: string, checkpoint: ConfigMap): void {
    const note = `"${annotation.slice(0, 80)}" is not a value of tollgate.dev/resolve-presumed. Write book or release, then the ids of calls or batches, or no id for all calls.`;
    this.#warning(configMaps, checkpoint, 'PresumedNotResolved', 'Resolve', note);
  }

  callsCorrected(corrected: readonly Corrected[], checkpoint: ConfigMap): void {
    this.#normal(configMaps, checkpoint, 'CallsCorrected', 'Correct', correctedNote(corrected));
  }

  callNotCorrected(mistaken: NotCorrected, checkpoint: ConfigMap): void {
    const note = `${notCorrectedNote(mistaken)} Nothing was corrected.`;
    this.#warning(configMaps, checkpoint, 'CallsNotCorrected', 'Correct', note);
  }

  /** The annotation cannot be read. `line`: the one with the mistake, or null. */
  correctionMistaken(line: string | null, problem: string, checkpoint: ConfigMap): void {
    const where = line === null ? '' : ` ("${line.slice(0, 80)}")`;
    const note = `The value of tollgate.dev/correct was not executed${where}. ${problem} Write <call id> <usd> <reason>, a line for each call, such as: 0b0f6f7a-5d3e-4a41-9b0e-2f3a1c9d8e7f 0.25 priced twice.`;
    this.#warning(configMaps, checkpoint, 'CallsNotCorrected', 'Correct', note);
  }

  /** Of prices or names. */
  fileRejected(file: ConfigMap, problem: string): void {
    const isPrices = file.metadata.name === PRICES;
    this.#warning(
      configMaps,
      file,
      isPrices ? 'PricesRejected' : 'NamesRejected',
      isPrices ? 'ReadPrices' : 'ReadNames',
      problem,
    );
  }

  /** Calls of a workspace had names that nobody knows, each at the highest bound. */
  unknownNames(ref: string, names: readonly string[]): void {
    const workspace = this.#parts.workspaces.get(ref);
    if (workspace === undefined) return;
    const shown = names.slice(0, 5).join(', ');
    const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
    const note = `Calls had names that Tollgate does not know: ${shown}${more}. Each such call reserves the highest bound of its model. If they cost nothing of their own, list them as harmless in ConfigMap tollgate-names (docs/how-to/unknown-names.md).`;
    this.#warning(workspaces, workspace, 'UnknownNames', 'Forward', note.slice(0, 1_000));
  }

  namesAccepted(names: ConfigMap): void {
    this.#normal(configMaps, names, 'NamesAccepted', 'ReadNames', 'The list of names was accepted and is in force.');
  }

  pricesAccepted(prices: ConfigMap): void {
    this.#normal(configMaps, prices, 'PricesAccepted', 'ReadPrices', 'The price book was accepted and is in force.');
  }

  /** Undefined where the workspace is gone, also if another one has its name now. */
  #ownerOf({ workspace: ref, workspaceUid }: OpenBatch): ClaudeWorkspace | undefined {
    const workspace = this.#parts.workspaces.get(ref);
    return workspace?.metadata.uid === workspaceUid ? workspace : undefined;
  }

  #normal({ apiVersion, kind }: Resource, object: KubeObject, reason: string, action: string, note: string): void {
    const { namespace, name } = object.metadata;
    this.#parts.log.info({ kind, namespace, name, reason }, note);
    this.#record('Normal', { ...object, apiVersion, kind }, { reason, action, note });
  }

  #warning({ apiVersion, kind }: Resource, object: KubeObject, reason: string, action: string, note: string): void {
    const { namespace, name } = object.metadata;
    this.#parts.log.error({ kind, namespace, name, reason }, note);
    this.#record('Warning', { ...object, apiVersion, kind }, { reason, action, note });
  }

  #record(type: EventDetails['type'], about: KubeObject, details: Omit<EventDetails, 'type'>): void {
    void this.#parts.events.record(about, { ...details, type, note: escapeText(details.note) });
  }
}

/** What ended a recovery. */
export type RecoveredBy = keyof typeof RECOVERED;

const RECOVERED = {
  Replayed: {
    reason: 'LedgerRecovered',
    note: 'The ledger has recovered: the gateways replayed what it had lost, within',
  },
  Rebuilt: {
    reason: 'LedgerRebuilt',
    note: 'The ledger was rebuilt from the gateways, the usage log and the statuses, within',
  },
  Confirmed: {
    reason: 'LedgerConfirmed',
    note: 'Recovery was ended by the annotation confirm-ledger; counters were not rebuilt. It took',
  },
} as const;
