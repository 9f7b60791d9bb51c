/** The sentences of refusals for callers: each names the rule, its figures and what to do. */

import type { CompiledBudget, CompiledRestriction, Disclosure, Ref } from '../core/compiled-policy.ts';
import { formatUsd, type Nano, usdAtMost } from '../core/money.ts';
import { unknownReserved } from './unknown-name-sentences.ts';

export function budgetSuspended(budget: CompiledBudget): string {
  return `The budget ${budget.namespace}/${budget.name} is suspended, and it applies to this call. Ask its owner to resume it.`;
}

/** What most likely is wrong is the base URL of the client. `path`: as the caller wrote it. */
export function notServed(method: string, path: string): string {
  return `${method} ${quoted(path)} is not served here. An Anthropic client needs as its base URL the ANTHROPIC_BASE_URL of the key's Secret, with or without /v1 at its end; what is served are POST /v1/messages, /v1/messages/count_tokens and /v1/messages/batches, and GET /v1/models.`;
}

/** `origin`: of the page, as its browser wrote it. */
export function browserNotAllowed(origin: string): string {
  return `Pages of ${quoted(origin)} may not call from a browser. Call from a server, or ask the platform team to add the origin to the setting browserOrigins.`;
}

export function workspaceSuspended(workspace: Ref): string {
  return `The workspace ${workspace} is suspended. Ask its owner to resume it.`;
}

export function upstreamKeyMissing(workspace: Ref): string {
  return `The workspace ${workspace} has no upstream key: its Secret is missing. The ClaudeWorkspace names it (spec.upstream.apiKeySecretRef).`;
}

/** What a caller should know of a model that is refused: when it was retired, and which one was probably meant. */
export interface ModelHint {
  readonly retiredOn: string | null;
  readonly nearest: string | null;
}

/** `status`: what the upstream answered, 401 or 403. */
export function upstreamKeyRefused(workspace: Ref, status: number): string {
  const remedy =
    status === 403
      ? 'must give it the permission that this call needs, or replace it'
      : 'must replace it in the Secret that the ClaudeWorkspace names (spec.upstream.apiKeySecretRef)';
  return `The upstream refused the upstream key of the workspace ${workspace} (${status}). Your own key is valid; the owner of the workspace ${remedy}.`;
}

export function modelUnknown(model: string, hint: ModelHint): string {
  return `Model ${quoted(model)} has no known price, so no budget can bound it. ${hintSentences(hint)}Ask for a model of GET /v1/models.`;
}

export function modelNotAllowed(model: string, workspace: Ref, allow: readonly string[], hint: ModelHint): string {
  return `Model ${quoted(model)} is not allowed in ${workspace}. ${hintSentences(hint)}Allowed: ${allow.join(', ')}.`;
}

/** `leftOut`: the headers that the call does not have, so that it meets the restriction whatever that lists. */
export function modelRestricted(
  model: string,
  workspace: Ref,
  { name, allow }: CompiledRestriction,
  leftOut: readonly string[],
  hint: ModelHint,
): string {
  const allowed = allow.length === 0 ? 'allows none' : `allows only ${allow.join(', ')}`;
  const remedy =
    leftOut.length === 0
      ? 'Ask for a model of GET /v1/models.'
      : `It matches because the call lacks ${leftOut.join(' and ')}: send that, or ask for a model of GET /v1/models.`;
  return `Model ${quoted(model)} is not allowed for this call in ${workspace}: restriction ${name} (spec.models.restrictions) matches it and ${allowed}. ${hintSentences(hint)}${remedy}`;
}

function hintSentences({ retiredOn, nearest }: ModelHint): string {
  const retired = retiredOn === null ? '' : `Anthropic retired it on ${retiredOn}. `;
  return nearest === null ? retired : `${retired}Did you mean ${nearest}? `;
}

export function inputTooLong(tokens: number, most: number): string {
  return `The prompt may have up to ${tokens} tokens, and the workspace allows ${most} (guards.maxInputTokens). Shorten it.`;
}

/** `max_tokens` would be lowered to where the thinking budget no longer fits. */
export function thinkingTooLong(budget: number, most: number): string {
  return `thinking.budget_tokens is ${budget}, and the workspace allows ${most} output tokens in all (guards.maxOutputTokens). Lower it.`;
}

/** Nothing bounds the call; `paths` say what in its body. */
export function unbounded(paths: readonly string[]): string {
  const guards = lackUses(paths) ? 'guards.maxToolUses or guards.unboundedRequestUsd' : 'guards.unboundedRequestUsd';
  return `This request has no maximum cost (${someOf(paths)}). ${boundedBy(paths)}, or ask for ${guards} on the workspace.`;
}

export function filesNotAllowed(workspace: Ref): string {
  return `The workspace ${workspace} does not allow files (spec.files.mode). Send the content itself instead of a file_id.`;
}

/** There is no such file, or it is another workspace's. */
export function noSuchFile(id: string, workspace: Ref): string {
  return `The workspace ${workspace} has no file ${quoted(id)}. Upload it through Tollgate (POST /v1/files) with a key of this workspace.`;
}

/** `most`: how many files a workspace may have. */
export function tooManyFiles(workspace: Ref, most: number): string {
  return `The workspace ${workspace} has ${most} files, as many as it may. Delete some (DELETE /v1/files/{id}).`;
}

function lackUses(paths: readonly string[]): boolean {
  return paths.some((path) => path.endsWith('.max_uses'));
}

function boundedBy(paths: readonly string[]): string {
  if (!lackUses(paths)) return 'Leave it out';
  return paths.every((path) => path.endsWith('.max_uses'))
    ? 'Set max_uses on each tool'
    : 'Set max_uses on each tool and leave out the rest';
}

/** A body may have a million of them. */
const MOST_PATHS = 8;

function someOf(paths: readonly string[]): string {
  const more = paths.length - MOST_PATHS;
  return more > 0 ? `${paths.slice(0, MOST_PATHS).join(', ')} and ${more} more` : paths.join(', ');
}

/** Nothing bounds the call, and a budget without tolerance would have to hold it. */
export function unboundedIn(paths: readonly string[], budget: Ref, disclosure: Disclosure): string {
  const [why, remedy] =
    disclosure === 'Amounts'
      ? [`budget ${budget} has no tolerance`, ', or ask for limit.toleranceUsd on the budget']
      : [`budget ${budget} admits no such request`, ''];
  return `This request has no maximum cost (${someOf(paths)}), and ${why}. ${boundedBy(paths)}${remedy}.`;
}

/** The guards would change a request of a batch. */
export function batchExceedsGuards(): string {
  return 'It asks for more than guards.maxOutputTokens or guards.maxToolUses of the workspace allows, and Tollgate never changes a batch. Lower max_tokens or max_uses.';
}

/** The budgets of a batch's first request are not those of this model. */
export function batchMixed(model: string): string {
  return `Other budgets apply to model ${quoted(model)} than to the first request of the batch. Send it in a batch of its own.`;
}

/** The worst cases of a batch have a sum that no budget has room for. */
export function batchTooExpensive(): string {
  return 'The requests up to this one may cost more than any budget can hold. Lower max_tokens or send smaller batches.';
}

export function batchesNotAllowed(workspace: Ref): string {
  return `The workspace ${workspace} does not allow Message Batches (spec.batches.mode). Send the requests one by one.`;
}

/** There is no such batch, or it is another workspace's. */
export function noSuchBatch(id: string, workspace: Ref): string {
  return `The workspace ${workspace} has no batch ${quoted(id)}.`;
}

/** The workspace created the batch, and its upstream does not know it. `origin`: that of the upstream. */
export function batchNotAtUpstream(id: string, workspace: Ref, origin: string): string {
  return `The upstream of the workspace ${workspace}, ${origin}, has no batch ${quoted(id)}: it was deleted there, or created while the workspace had another upstream.`;
}

/** The one call is dearer than the guard. `unknown`: what of it nobody knows and makes it so. Nano-dollars. */
export function requestTooExpensive(worstNano: Nano, mostNano: Nano, unknown: readonly string[]): string {
  const remedy = unknown.length > 0 ? unknownReserved(unknown, worstNano) : 'Lower max_tokens or shorten the prompt.';
  return `This call may cost up to $${usdAtMost(worstNano)}, and the workspace allows $${formatUsd(mostNano)} (guards.maxRequestUsd). ${remedy}`;
}

/** `required`: the setting `requireBudget`. */
export function noBudget(workspace: Ref, required: string): string {
  const [budget, mode] = required === 'Enforcing' ? ['enforcing budget', ' in mode Enforce'] : ['budget', ''];
  return `No ${budget} applies to this call in ${workspace}. Create a ClaudeBudget${mode} whose scope matches it.`;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 128 ? `${text.slice(0, 128)}…` : text);
}
