import type { Logger } from 'pino';
import type { Caller } from '../../policy/admit/caller.ts';
import type { Call } from '../../policy/admit/plan.ts';
import { refusalStatus } from '../../policy/admit/refusal-response.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { Refusal } from '../../policy/core/refusals.ts';
import type { CallSpan } from '../../telemetry/spans.ts';
import type { Exchange } from '../http/exchange.ts';
import { refusedSpan, spanOf } from './span.ts';
import { attributesOf, type EndedCall, logCall } from './usage-record.ts';

/** Who is told of the span of each call. */
export interface Spans {
  add(span: CallSpan): void;
}

interface Parts {
  readonly logger: Logger;
  /** Null where nobody is told of spans. */
  readonly spans: Spans | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The monotonic clock. Milliseconds. */
  readonly elapsed: () => number;
}

/** Tells of each call: one line in the log, and one span. */
export class CallLog {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** An admitted call, and what became of it. */
  ended({ req }: Exchange, ended: EndedCall): void {
    const { logger, spans } = this.#parts;
    logCall(logger, ended);
    spans?.add(spanOf(ended, req.headers));
  }

  /** A call that was not let through; whose it was and what it asked, as far as that is known. */
  refused({ id, arrived, req }: Exchange, refusal: Refusal, caller?: Caller, call?: Call): void {
    const { logger, spans, now, elapsed } = this.#parts;
    const workspace = caller && refOf(caller.workspace);
    const feature = call === undefined ? '' : (attributesOf(call)['feature'] ?? '');
    const model = call?.facts.model ?? '';
    logger.info({ feature, model, cost_usd: 0, id, workspace, refusal: refusal.reason });
    if (spans === null) return;
    const ended = now();
    const started = ended - (elapsed() - arrived);
    const said = { id, feature, model, workspace, reason: refusal.reason, status: refusalStatus(refusal) };
    spans.add(refusedSpan({ ...said, started, ended }, req.headers));
  }
}
