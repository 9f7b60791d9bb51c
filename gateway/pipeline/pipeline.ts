import { ok, type Result } from '../../policy/core/result.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { Admission, Planner } from '../admission/admission.ts';
import { orUnreachable } from '../admission/retry-ledger.ts';
import type { Settler } from '../admission/settler.ts';
import type { StoredFiles } from '../admission/stored-files.ts';
import { queueKeysOf } from '../admission/wait-queue.ts';
import { authenticate } from '../http/authenticate.ts';
import {
  type AdmittedCall,
  type AuthenticatedCall,
  type ReadCall,
  type ReceivedCall,
  secondAttempt,
} from '../http/call.ts';
import type { FreeCalls } from '../http/free-calls.ts';
import type { CallerGone } from '../http/read-body.ts';
import type { PolicySource } from '../policy/active-policy.ts';
import type { CallRefuser } from './call-refuser.ts';
import { claimedByHeaders } from './claims.ts';

/** An endpoint whose calls cost money, by stages. `C`: its call once read; `E`: what became of it upstream. */
export interface PaidEndpoint<C extends ReadCall, E> extends Planner<C> {
  read(call: AuthenticatedCall): Promise<Result<C, Refusal | CallerGone>>;
  forward(call: C & AdmittedCall): Promise<E>;
  /** Answers the caller where `forward` has not, and ends the reservation. */
  finish(call: C & AdmittedCall, end: E): Promise<void>;
  /**
   * Ends the reservation of a call that met a stale connection, so that it may be tried once more, and leaves the answer to
   * the second attempt. Null if it met none.
   */
  endStale?(call: C & AdmittedCall, end: E): Promise<void> | null;
  /** The files that the call names, where they are not those of its facts. */
  filesOf?(call: C): readonly string[];
  /** Frees what `read` took, whatever became of the call. */
  close?(call: C): Promise<void>;
}

/** An endpoint whose calls cost nothing. Resolves to null once the caller has its answer; may reject with LedgerUnreachable. */
export type FreeEndpoint = (call: AuthenticatedCall) => Promise<Refusal | CallerGone | null>;

interface Parts {
  readonly policy: PolicySource;
  readonly admission: Admission;
  readonly settler: Pick<Settler, 'release'>;
  readonly callRefuser: CallRefuser;
  readonly freeCalls: FreeCalls;
  readonly storedFiles: StoredFiles;
  readonly newId: () => string;
}

/** The stages of every call, each of which may refuse it. Rejects for nothing that caller, ledger or upstream do. */
export class Pipeline {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async servePaid<C extends ReadCall, E>(received: ReceivedCall, endpoint: PaidEndpoint<C, E>): Promise<void> {
    const call = this.#authenticate(received);
    if (!call.ok) return this.#refuse(received, call.error);
    const read = await endpoint.read(call.value);
    if (!read.ok) return this.#refuse(received, read.error);
    try {
      await this.#admitAndForward(read.value, endpoint);
    } finally {
      await endpoint.close?.(read.value);
    }
  }

  async serveFree(received: ReceivedCall, serve: FreeEndpoint): Promise<void> {
    const call = this.#authenticate(received);
    if (!call.ok) return this.#refuse(received, call.error);
    const { value } = call;
    const refusal = await this.#parts.freeCalls.run(value.keyHash, async () => {
      // No event tells of a caller that left while its call waited.
      return value.hasLeft ? 'gone' : ((await orUnreachable(() => serve(value))) ?? 'answered');
    });
    if (refusal !== 'answered') this.#refuse(received, refusal ?? refusalFor('TooManyFreeCalls'));
  }

  #authenticate(received: ReceivedCall): Result<AuthenticatedCall, Refusal> {
    const { headers } = received.req;
    const identity = authenticate(headers, this.#parts.policy);
    if (!identity.ok) return identity;
    const { workspace } = identity.value.caller;
    received.memory.belongTo(workspace);
    const claimed = claimedByHeaders(headers, workspace);
    return claimed.ok ? ok(Object.assign(received, identity.value, { claimed: claimed.value })) : claimed;
  }

  async #admitAndForward<C extends ReadCall, E>(call: C, endpoint: PaidEndpoint<C, E>): Promise<void> {
    const { storedFiles } = this.#parts;
    const files = endpoint.filesOf?.(call) ?? call.facts.files;
    const foreign = await orUnreachable(() => storedFiles.refuseForeign(call.caller.workspace, files));
    if (foreign !== null) return this.#refuse(call, foreign);
    await this.#attempt(call, endpoint);
  }

  async #attempt<C extends ReadCall, E>(call: C, endpoint: PaidEndpoint<C, E>): Promise<void> {
    const { admission, settler, newId } = this.#parts;
    const admitted = await admission.admit(call, endpoint);
    if (!admitted.ok) return this.#refuse(call, admitted.error);
    if (call.hasLeft) return settler.release(call.id, queueKeysOf(admitted.value.plan.checks));
    const end = await endpoint.forward(admitted.value);
    const ended = call.isSecondAttempt || call.hasLeft ? null : endpoint.endStale?.(admitted.value, end);
    if (!ended) return endpoint.finish(admitted.value, end);
    // With a reservation of its own, since the upstream may bill both attempts.
    await Promise.all([ended, this.#attempt(secondAttempt(call, newId()), endpoint)]);
  }

  #refuse(call: ReceivedCall, refusal: Refusal | CallerGone): void {
    if (refusal !== 'gone') this.#parts.callRefuser.refuse(call, refusal);
  }
}
