import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import { MAX_FILES } from '../../ledger/stored-files.ts';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import { ownerOf } from '../../policy/core/owner.ts';
import { noSuchFile, tooManyFiles } from '../../policy/refusals/refusal-sentences.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';
import type { Clocks } from '../http/call.ts';
import { type LedgerPatience, retryLedger } from './retry-ledger.ts';

/** How many files one command of the ledger is asked about. */
const ASKED_AT_ONCE = 1_000;

interface Parts extends LedgerPatience, Pick<Clocks, 'now'> {
  /** Files that code has made for a workspace could not be noted, so that nobody can fetch them. */
  readonly onUnowned: (workspace: Ref, files: readonly string[]) => void;
  readonly ledger: Pick<GatewayLedger, 'ownsFiles' | 'countFiles' | 'listFiles' | 'addFile' | 'removeFile'>;
}

/**
 * Whose the files in the upstreams' stores are. An upstream shows a file to whoever has the upstream key; Tollgate shows
 * it to the workspace that uploaded it, or whose call made it. One that was deleted and made again has uploaded none.
 */
export class StoredFiles {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Which of the files are the workspace's. Rejects with LedgerUnreachable. */
  owns(workspace: ResolvedWorkspace, files: readonly string[]): Promise<readonly boolean[]> {
    return retryLedger(() => this.#parts.ledger.ownsFiles(ownerOf(workspace), files), this.#parts);
  }

  /**
   * The refusal of what names a file that is not the workspace's; null if all are. Where files are not allowed, plan
   * refuses. Rejects with LedgerUnreachable.
   */
  async refuseForeign(workspace: ResolvedWorkspace, files: readonly string[]): Promise<Refusal | null> {
    if (workspace.files !== 'Allow') return null;
    // A batch may name hundreds of thousands, of which the first that are too many for any workspace are not its own.
    for (let from = 0; from < files.length; from += ASKED_AT_ONCE) {
      const some = files.slice(from, from + ASKED_AT_ONCE);
      const foreign = (await this.owns(workspace, some)).indexOf(false);
      if (foreign !== -1) return { reason: 'NotFound', message: noSuchFile(some[foreign]!, refOf(workspace)) };
    }
    return null;
  }

  /** The refusal of one more file; null if there is room. Uploads at once may exceed it by as many. */
  async refuseMore(workspace: ResolvedWorkspace): Promise<Refusal | null> {
    const count = await retryLedger(() => this.#parts.ledger.countFiles(ownerOf(workspace)), this.#parts);
    return count < MAX_FILES ? null : { reason: 'TooManyFiles', message: tooManyFiles(refOf(workspace), MAX_FILES) };
  }

  /** Up to `limit` of the workspace's files, newest first, after one of them or from the newest. Rejects with LedgerUnreachable. */
  list(workspace: ResolvedWorkspace, after: string | null, limit: number): Promise<readonly string[]> {
    return retryLedger(() => this.#parts.ledger.listFiles(ownerOf(workspace), after, limit), this.#parts);
  }

  add(workspace: ResolvedWorkspace, file: string): Promise<void> {
    return retryLedger(() => this.#parts.ledger.addFile(ownerOf(workspace), file, this.#parts.now()), this.#parts);
  }

  /** Adds files that code has made for the workspace. Never rejects: without room, or without the ledger, nobody owns them. */
  async keepMade(workspace: ResolvedWorkspace, files: readonly string[]): Promise<void> {
    try {
      if ((await this.refuseMore(workspace)) === null) {
        await Promise.all(files.map((file) => this.add(workspace, file)));
        return;
      }
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
    }
    this.#parts.onUnowned(refOf(workspace), files);
  }

  remove(workspace: ResolvedWorkspace, file: string): Promise<void> {
    return retryLedger(() => this.#parts.ledger.removeFile(ownerOf(workspace), file), this.#parts);
  }
}
