import type { Refusal } from '../../policy/core/refusals.ts';
import { isRefusal } from '../http/send-refusal.ts';
import { type Admitted, Admission, type AttemptParts, type Candidate } from './admission.ts';
import type { Settler } from './settler.ts';

interface Parts extends AttemptParts {
  readonly settler: Settler;
}

/** Plans calls and reserves them in the ledger, with all that can come between (docs/explanation/reservation.md). */
export class Reserver {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Admits or refuses a call. Who leaves meanwhile may be admitted all the same: look before sending. */
  async reserve(candidate: Candidate): Promise<Admitted | Refusal> {
    const { lifeline, settler } = this.#parts;
    const attempt = new Admission(this.#parts, candidate);
    let isAdmitted = false;
    lifeline.enter(candidate.id);
    try {
      const outcome = await attempt.run();
      isAdmitted = !isRefusal(outcome);
      return outcome;
    } finally {
      if (!isAdmitted && attempt.isInDoubt) void settler.release(candidate.id);
      else if (!isAdmitted) lifeline.leave(candidate.id);
    }
  }
}
