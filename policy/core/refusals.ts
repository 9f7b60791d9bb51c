/**
 * The one table of what Tollgate says no with. HTTP bodies, metric labels and docs/reference/refusals.md come from it;
 * a row without all its columns does not compile. Statuses and types follow what real clients do with them
 * (docs/explanation/refusals.md): one attempt and one clear sentence in each.
 */

/** Whether a client should try again: never, after a short `retry-after`, or as it does for any upstream. */
export type Retry = 'Never' | 'Soon' | 'AsClient';

interface Row {
  readonly status: number;
  /** Anthropic's `error.type`. */
  readonly type: string;
  readonly retry: Retry;
  /** For the reference page: when it happens and what to do. */
  readonly meaning: string;
}

const table = {
  NoCredential: {
    status: 401,
    type: 'authentication_error',
    retry: 'Never',
    meaning: 'The call carries no key. Send the key of a ClaudeWorkspace as x-api-key or as Authorization: Bearer.',
  },
  UnknownKey: {
    status: 401,
    type: 'authentication_error',
    retry: 'Never',
    meaning:
      'The key is not one of this installation, it was revoked, or its ClaudeWorkspace was never accepted. Read ANTHROPIC_API_KEY from the Secret that the ClaudeWorkspace names.',
  },
  TwoCredentials: {
    status: 401,
    type: 'authentication_error',
    retry: 'Never',
    meaning: 'x-api-key and Authorization hold two different Tollgate keys. Send one.',
  },
  NotFound: {
    status: 404,
    type: 'not_found_error',
    retry: 'Never',
    meaning: 'The gateway does not serve this path or method, or the workspace has no such model or batch.',
  },
  BodyTooLarge: {
    status: 413,
    type: 'request_too_large',
    retry: 'Never',
    meaning: 'The body is over 32 MB, the limit of the Messages API.',
  },
  BatchTooLarge: {
    status: 413,
    type: 'request_too_large',
    retry: 'Never',
    meaning: 'The body is over 256 MB or holds more than 100,000 requests, the limits of the Message Batches API.',
  },
  BodyCompressed: {
    status: 415,
    type: 'invalid_request_error',
    retry: 'Never',
    meaning: 'The request body is compressed. Send it as it is: the gateway prices what it reads.',
  },
  BodyInvalid: {
    status: 400,
    type: 'invalid_request_error',
    retry: 'Never',
    meaning: 'The body is not the JSON of a Messages request: broken, a key twice, or a field of the wrong type.',
  },
  Unsupported: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning:
      'The request uses a field, tool or content type that Tollgate does not know, so it is never passed on unmetered.',
  },
  AttributeInvalid: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning: 'A feature, customer or user header is longer than 256 bytes or holds control characters.',
  },
  WorkspaceSuspended: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning: 'spec.suspend is true on the ClaudeWorkspace.',
  },
  BudgetSuspended: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning: 'spec.suspend is true on a ClaudeBudget that governs the call.',
  },
  ModelUnknown: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning: 'The price book does not know the model and the workspace does not allow unknown ones.',
  },
  ModelNotAllowed: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning: 'spec.models.allow of the ClaudeWorkspace does not match the model.',
  },
  Unbounded: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning:
      'Nothing says what the call can cost at most: a tool that Anthropic runs without max_uses, a container, a remote server, or fallbacks of its own choosing. Give max_uses, or have the workspace set guards.maxToolUses or guards.unboundedRequestUsd (docs/explanation/bounds.md).',
  },
  RequestTooExpensive: {
    status: 402,
    type: 'billing_error',
    retry: 'Never',
    meaning: 'The worst case of this one call is above guards.maxRequestUsd. Lower max_tokens or shorten the prompt.',
  },
  InputTooLong: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning: 'The prompt may have more tokens than guards.maxInputTokens.',
  },
  ThinkingTooLong: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning: 'The thinking budget does not fit below guards.maxOutputTokens.',
  },
  BatchExceedsGuards: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning:
      'A request of a batch asks for more than guards.maxOutputTokens or guards.maxToolUses. Alone it would be lowered; in a batch nothing is.',
  },
  BatchesNotAllowed: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning: 'spec.batches.mode of the ClaudeWorkspace is not Allow, so Message Batches are refused.',
  },
  BatchMixed: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning:
      'The requests of a batch are governed by different budgets, because a budget is scoped to some of their models. Send a batch for each.',
  },
  NoBudget: {
    status: 400,
    type: 'policy_blocked',
    retry: 'Never',
    meaning:
      'No enforcing ClaudeBudget governs the call. Create one, or set requireBudget to false for the installation.',
  },
  BudgetSpent: {
    status: 429,
    type: 'budget_exceeded',
    retry: 'Never',
    meaning:
      'A budget that governs the call is spent until it resets or is raised. The workspace may ask for 402 billing_error instead.',
  },
  BudgetBusy: {
    status: 429,
    type: 'rate_limit_error',
    retry: 'Soon',
    meaning:
      'What is left of a budget is reserved by calls in flight, and they did not settle within the waiting time.',
  },
  BatchNotSettled: {
    status: 409,
    type: 'conflict_error',
    retry: 'Never',
    meaning:
      'The results of the batch are not booked yet, and deleting it would delete what it cost. Wait until it has ended, and a minute more.',
  },
  BatchStorageFailed: {
    status: 503,
    type: 'api_error',
    retry: 'AsClient',
    meaning: "The gateway's temporary folder has no room for the batch, or cannot be written.",
  },
  BatchStorageFull: {
    status: 503,
    type: 'api_error',
    retry: 'Soon',
    meaning:
      'The batches that are being sent fill the room that this gateway has for them (TOLLGATE_BATCH_STORAGE). Send the batch again shortly.',
  },
  BodyMemoryFull: {
    status: 503,
    type: 'api_error',
    retry: 'Soon',
    meaning:
      'The bodies of the calls under way fill the memory that this gateway has for them (TOLLGATE_BODY_MEMORY). Send the call again shortly; where it happens often, run more gateways or give them more memory.',
  },
  LedgerUnreachable: {
    status: 503,
    type: 'api_error',
    retry: 'Never',
    meaning: 'Redis did not answer within the waiting time; nothing is admitted that cannot be counted.',
  },
  LedgerLost: {
    status: 503,
    type: 'api_error',
    retry: 'Never',
    meaning:
      'Redis holds the ledger of another installation, and a person must confirm it (docs/how-to/recover-the-ledger.md); or it is empty, and the operator did not rebuild it within the waiting time.',
  },
  LedgerRecovering: {
    status: 503,
    type: 'api_error',
    retry: 'Never',
    meaning:
      'Redis was restarted, failed over or came back with less than it had, and the ledger was not made whole within the waiting time (docs/how-to/recover-the-ledger.md).',
  },
  UsageStreamFull: {
    status: 503,
    type: 'api_error',
    retry: 'Never',
    meaning:
      'The stream of usage records is at its bound (setting usageStreamLimit), because the operator does not bring them into the usage log. Nothing is admitted whose record might be lost.',
  },
  PolicyNotReady: {
    status: 503,
    type: 'api_error',
    retry: 'Never',
    meaning: 'The gateway has not loaded the policy that is in force yet.',
  },
  UpstreamKeyMissing: {
    status: 503,
    type: 'api_error',
    retry: 'Never',
    meaning: 'The Secret with the upstream key of the workspace is gone.',
  },
  ShuttingDown: {
    status: 503,
    type: 'api_error',
    retry: 'AsClient',
    meaning: 'This replica is leaving; another one serves.',
  },
  UpstreamUnreachable: {
    status: 502,
    type: 'api_error',
    retry: 'AsClient',
    meaning: 'The upstream refused the connection, or broke it before it answered.',
  },
  BatchOutcomeUnknown: {
    status: 502,
    type: 'api_error',
    retry: 'Never',
    meaning:
      'The connection to the upstream broke after the whole batch was sent, so it may exist. What it could cost stays presumed; to send it again may pay for it twice.',
  },
  UpstreamTimeout: {
    status: 504,
    type: 'timeout_error',
    retry: 'AsClient',
    meaning: 'The upstream did not answer in time.',
  },
} as const satisfies Record<string, Row>;

/** Why Tollgate says no: one word for bodies' readers, logs and metric labels. */
export type RefusalReason = keyof typeof table;

/** The table, by reason. */
export const refusals: Readonly<Record<RefusalReason, Row>> = table;

/** What only a spent budget carries (docs/explanation/refusals.md). Money in nano-dollars, times in milliseconds. */
export interface SpentDetail {
  readonly budget: string;
  /** Null for a spanning budget: of those a tenant may see name and reset only. */
  readonly amounts: { readonly limitNano: bigint; readonly spentNano: bigint } | null;
  /** Null for a budget that never resets. */
  readonly resetAt: number | null;
}

/** A decision against a call: why, in one sentence that says what to do. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly message: string;
  readonly spent?: SpentDetail;
  /** Overrides the table's status: `refusal.status: 402` of the workspace. */
  readonly status?: 402;
  /** Seconds, for reasons that may be retried soon. */
  readonly retryAfter?: number;
}
