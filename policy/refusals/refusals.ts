/**
 * The one table of what Tollgate says no with. HTTP bodies, metric labels and docs/reference/refusals.md come from it;
 * a row without all its columns does not compile. Statuses and types follow what real clients do with them
 * (docs/explanation/refusals.md): one attempt and one clear sentence in each.
 */

import type { DisclosedFigures } from '../core/disclosure.ts';
import type { Nano } from '../core/money.ts';

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

/** What many rows share: no valid key; refused by the policy; not served now, and a retry at once would not help. */
const UNAUTHENTICATED = { status: 401, type: 'authentication_error', retry: 'Never' } as const;
const BLOCKED = { status: 400, type: 'policy_blocked', retry: 'Never' } as const;
const UNAVAILABLE = { status: 503, type: 'api_error', retry: 'Never' } as const;

const table = {
  NoCredential: {
    ...UNAUTHENTICATED,
    meaning: 'The call carries no key. Send the key of a ClaudeWorkspace as x-api-key or as Authorization: Bearer.',
  },
  UnknownKey: {
    ...UNAUTHENTICATED,
    meaning:
      'The key is unknown: it belongs to another installation, was revoked, or its ClaudeWorkspace was never accepted. Read ANTHROPIC_API_KEY again from the Secret that the ClaudeWorkspace names.',
  },
  TwoCredentials: {
    ...UNAUTHENTICATED,
    meaning: 'x-api-key and Authorization hold two different Tollgate keys. Send only one.',
  },
  NotFound: {
    status: 404,
    type: 'not_found_error',
    retry: 'Never',
    meaning:
      'The gateway does not serve this path or method, or the workspace has no such model, batch or file. See docs/reference/gateway.md for what is served.',
  },
  BodyTooLarge: {
    status: 413,
    type: 'request_too_large',
    retry: 'Never',
    meaning: 'The body is larger than 32 MB, the limit of the Messages API. Send a smaller request.',
  },
  BatchTooLarge: {
    status: 413,
    type: 'request_too_large',
    retry: 'Never',
    meaning:
      'The batch is larger than 256 MB or has more than 100,000 requests, the limits of the Message Batches API. Send several smaller batches.',
  },
  BodyCompressed: {
    status: 415,
    type: 'invalid_request_error',
    retry: 'Never',
    meaning:
      'The request body is compressed, and the gateway must read it to price the call. Send it without content-encoding.',
  },
  ContentTypeInvalid: {
    status: 415,
    type: 'invalid_request_error',
    retry: 'Never',
    meaning:
      'The content-type is not application/json in UTF-8, as which the body is read and priced. Send content-type: application/json, or none.',
  },
  BodyInvalid: {
    status: 400,
    type: 'invalid_request_error',
    retry: 'Never',
    meaning:
      'The body is not a valid Messages request: it is not JSON, has a key twice, or has a field of the wrong type. Correct the field that the message names.',
  },
  Unsupported: {
    ...BLOCKED,
    meaning:
      'The request holds a name that Tollgate does not know and does not forward: unknown names are refused here (unknownFields), or this one may choose payer, workspace, tier or model, or a call with it cost more than its bound. Leave it out, or have it listed as harmless (docs/how-to/unknown-names.md).',
  },
  AttributeInvalid: {
    ...BLOCKED,
    meaning:
      'An attribute that the caller sets, by a header of spec.headers or by metadata.user_id, is longer than 256 bytes, or has control or invisible characters. Shorten or correct it.',
  },
  WorkspaceSuspended: {
    ...BLOCKED,
    meaning: 'The ClaudeWorkspace is suspended (spec.suspend is true). Ask its owner to resume it.',
  },
  BudgetSuspended: {
    ...BLOCKED,
    meaning: 'A ClaudeBudget that applies to the call is suspended (spec.suspend is true). Ask its owner to resume it.',
  },
  ModelUnknown: {
    ...BLOCKED,
    meaning:
      'The price book has no price for the model, and the workspace refuses unknown models (spec.models.unknown). Ask for a model of GET /v1/models.',
  },
  ModelNotAllowed: {
    ...BLOCKED,
    meaning:
      'The model is not in spec.models.allow of the ClaudeWorkspace, or a restriction that matches the call leaves it out. Ask for a model of GET /v1/models.',
  },
  Unbounded: {
    ...BLOCKED,
    meaning:
      'The request has no maximum cost: it uses a tool that Anthropic runs without max_uses, a container, a remote server, or fallbacks that Anthropic chooses. Set max_uses, or ask the owner of the workspace for guards.maxToolUses or guards.unboundedRequestUsd (docs/explanation/bounds.md).',
  },
  RequestTooExpensive: {
    status: 402,
    type: 'billing_error',
    retry: 'Never',
    meaning:
      'The call may cost more than guards.maxRequestUsd of the workspace allows. Lower max_tokens or shorten the prompt; or leave out the names in details.unknown.',
  },
  InputTooLong: {
    ...BLOCKED,
    meaning: 'The prompt may have more tokens than guards.maxInputTokens of the workspace allows. Shorten it.',
  },
  ThinkingTooLong: {
    ...BLOCKED,
    meaning:
      'thinking.budget_tokens, of the request or of a fallback, does not fit into guards.maxOutputTokens of the workspace, which also bounds thinking. Lower it.',
  },
  BatchExceedsGuards: {
    ...BLOCKED,
    meaning:
      'A request of a batch asks for more than guards.maxOutputTokens or guards.maxToolUses allows. Tollgate lowers single requests, but never changes a batch. Lower max_tokens or max_uses.',
  },
  BatchesNotAllowed: {
    ...BLOCKED,
    meaning:
      'The workspace does not allow Message Batches (spec.batches.mode is not Allow). Send the requests one by one.',
  },
  FilesNotAllowed: {
    ...BLOCKED,
    meaning:
      'The workspace does not allow files (spec.files.mode is not Allow). Send the content itself instead of a file_id.',
  },
  TooManyFiles: {
    ...BLOCKED,
    meaning: 'The workspace has 10,000 files, as many as it may. Delete some.',
  },
  FileTooLarge: {
    status: 413,
    type: 'request_too_large',
    retry: 'Never',
    meaning: 'The file is larger than 500 MB, the limit of the Files API. Upload a smaller one.',
  },
  BatchMixed: {
    ...BLOCKED,
    meaning:
      'Different budgets apply to the requests of the batch, because a budget is limited to some of their models. Send one batch for each model.',
  },
  NoBudget: {
    ...BLOCKED,
    meaning:
      'No ClaudeBudget applies to the call, or none that enforces where the setting requireBudget is Enforcing. Create one whose scope matches it.',
  },
  BudgetSpent: {
    status: 429,
    type: 'budget_exceeded',
    retry: 'Never',
    meaning:
      'A budget that applies to the call is spent. Wait until it resets, or have its limit raised. The workspace can choose 402 billing_error instead (spec.refusal.status).',
  },
  RequestTooLarge: {
    status: 429,
    type: 'budget_exceeded',
    retry: 'Never',
    meaning:
      'The call may cost more than is left of a budget that applies to it, and smaller calls still fit. Lower max_tokens, to what the message says, or shorten the prompt; or leave out the names in details.unknown, because of which the most that a call can cost is set aside. The budget is not spent for that. The workspace can choose 402 billing_error instead (spec.refusal.status).',
  },
  BudgetBusy: {
    status: 429,
    type: 'rate_limit_error',
    retry: 'Soon',
    meaning:
      'Calls in flight hold the room that the call needs in a budget, and did not settle within the waiting time. Try again after retry-after.',
  },
  TooManyFreeCalls: {
    status: 429,
    type: 'rate_limit_error',
    retry: 'Soon',
    meaning:
      'Too many calls of this key that cost nothing (count_tokens, models, batches, files, budgets): in each gateway 8 run at once and 64 wait, and budgets are read 10 times a second. Send it again after retry-after.',
  },
  BatchNotSettled: {
    status: 409,
    type: 'conflict_error',
    retry: 'Never',
    meaning:
      'The batch is not settled yet, and deleting it would delete the record of its cost. Delete it a minute after it has ended.',
  },
  BatchStorageFailed: {
    status: 503,
    type: 'api_error',
    retry: 'AsClient',
    meaning:
      "The gateway could not store the batch: its temporary folder is full or not writable. Send it again; if it fails again, the platform team must look at the gateway's log.",
  },
  BatchStorageFull: {
    status: 503,
    type: 'api_error',
    retry: 'Soon',
    meaning:
      'The batches being sent use all storage that this gateway has for them (TOLLGATE_BATCH_STORAGE). Send the batch again after retry-after.',
  },
  BodyMemoryFull: {
    status: 503,
    type: 'api_error',
    retry: 'Soon',
    meaning:
      'The request bodies of calls in flight use all memory that this gateway has for them (TOLLGATE_BODY_MEMORY). Send the call again after retry-after. If it happens often, run more gateways or give them more memory.',
  },
  LedgerUnreachable: {
    ...UNAVAILABLE,
    meaning:
      'The ledger did not answer within the waiting time, and a call that cannot be counted is not admitted. Try again later; the platform team finds the cause by runbook TollgateLedgerUnreachable.',
  },
  LedgerLost: {
    ...UNAVAILABLE,
    meaning:
      'The ledger belongs to another installation, and the platform team must confirm it; or it is empty, and was not rebuilt within the waiting time (docs/how-to/recover-the-ledger.md).',
  },
  LedgerRecovering: {
    ...UNAVAILABLE,
    meaning:
      'The ledger was restarted or lost data, and its recovery did not end within the waiting time. Try again in a minute; the platform team finds more in docs/how-to/recover-the-ledger.md.',
  },
  UsageStreamFull: {
    ...UNAVAILABLE,
    meaning:
      'The usage stream is full (setting usageStreamLimit) because the usage log does not take its records, and a call whose record could be lost is not admitted. The platform team finds the cause by runbook TollgateUsageStreamFilling.',
  },
  PolicyNotReady: {
    ...UNAVAILABLE,
    meaning: 'The gateway has not loaded the newest policy yet. Try again in a few seconds.',
  },
  UpstreamKeyMissing: {
    ...UNAVAILABLE,
    meaning: 'The Secret with the upstream key of the workspace is missing. Its owner must create it again.',
  },
  UpstreamKeyRefused: {
    status: 502,
    type: 'api_error',
    retry: 'Never',
    meaning:
      "The upstream answered 401 or 403: it refused the workspace's upstream key, not the caller's key. The workspace's owner must replace the key in the Secret of spec.upstream.apiKeySecretRef, or give it the permission that it lacks; the condition UpstreamAccepted of the ClaudeWorkspace says more.",
  },
  ShuttingDown: {
    status: 503,
    type: 'api_error',
    retry: 'AsClient',
    meaning: 'This gateway is shutting down; another one serves the call. Send it again.',
  },
  UpstreamUnreachable: {
    status: 502,
    type: 'api_error',
    retry: 'AsClient',
    meaning: 'The upstream refused the connection, or closed it before it answered. Send the call again.',
  },
  BatchOutcomeUnknown: {
    status: 502,
    type: 'api_error',
    retry: 'Never',
    meaning:
      'The connection to the upstream broke after the whole batch was sent, so the batch may exist. Its worst case stays presumed. Sending it again may pay for it twice.',
  },
  UpstreamTimeout: {
    status: 504,
    type: 'timeout_error',
    retry: 'AsClient',
    meaning: 'The upstream did not answer in time. Send the call again.',
  },
} as const satisfies Record<string, Row>;

/** Why Tollgate says no: one word for bodies' readers, logs and metric labels. */
export type RefusalReason = keyof typeof table;

export const refusals: Readonly<Record<RefusalReason, Row>> = table;

/** The amounts of a counter without room, as a refusal tells them. Nano-dollars. */
export interface BudgetAmounts {
  /** The cap. */
  readonly limitNano: Nano;
  readonly spentNano: Nano;
  /** Of calls whose cost is not known. */
  readonly presumedNano: Nano;
  /** Of calls in flight. */
  readonly reservedNano: Nano;
}

/** A call that is too large for what is left. Nano-dollars. */
export interface TooLargeCall {
  readonly worstNano: Nano;
  /** What a call may cost, with the budget's tolerance. */
  readonly leftNano: Nano;
  /** The largest `max_tokens` with which it would fit; null if none would. */
  readonly maxTokens: number | null;
}

/** What only the refusal of a budget carries (docs/explanation/refusals.md). */
export interface BudgetDetail {
  readonly budget: string;
  /** Null if callers may see its name and reset only. */
  readonly figures: DisclosedFigures<BudgetAmounts> | null;
  /** Milliseconds; null for a budget that never resets. */
  readonly resetAt: number | null;
  /** Null if the call is not too large, or callers may not see the amounts. */
  readonly tooLarge: TooLargeCall | null;
}

/** A decision against a call: why, in one sentence that says what to do. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly message: string;
  readonly budget?: BudgetDetail;
  /** `error.details.unknown`: the names in a call without room that Tollgate does not know, as a list of harmless names has them. */
  readonly unknown?: readonly string[];
  /** `error.details.error_code`, where clients know the upstream's own code for it. */
  readonly errorCode?: string;
  /** Overrides the table's status: `refusal.status: 402` of the workspace. */
  readonly status?: 402;
  /** Seconds, for reasons that may be retried soon. */
  readonly retryAfter?: number;
}

/** A refusal whose sentence needs no figures of the call: the table has it. */
export function refusalFor(reason: RefusalReason): Refusal {
  return { reason, message: refusals[reason].meaning };
}
