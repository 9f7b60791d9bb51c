/** What a refusal says of names in a request that Tollgate does not know: the name, the amount, and the ways out. */

import type { Ref } from '../core/compiled-policy.ts';
import { type Nano, usdAtMost } from '../core/money.ts';

const MOST = 4;

/** "safeguards and 2 more" */
function some(paths: readonly string[]): string {
  const more = paths.length - MOST;
  return more > 0 ? `${paths.slice(0, MOST).join(', ')} and ${more} more` : paths.join(', ');
}

const LIST =
  'have it listed as harmless by the platform team (ConfigMap tollgate-names) if it costs nothing of its own';

/** The workspace or the installation refuses what it does not know. */
export function unknownRefused(paths: readonly string[], workspace: Ref, worstNano: Nano): string {
  return `Tollgate does not know ${some(paths)}, and ${workspace} refuses unknown names (spec.requests.unknownFields, or the setting unknownFields). Forwarded, this call could cost up to $${usdAtMost(worstNano)}. Leave it out, ${LIST}, or ask for unknownFields: Forward.`;
}

/** By its words, or those within it, it may choose whose money is spent, or at which price. */
export function unknownChooses(paths: readonly string[], worstNano: Nano): string {
  return `Tollgate does not know ${some(paths)}, which by its name may choose another payer, workspace, tier or model, so that the call could cost more than the highest bound of its own model ($${usdAtMost(worstNano)}). Leave it out, or ${LIST}.`;
}

/** A call with it cost more than the highest bound. */
export function unknownExceeded(paths: readonly string[], worstNano: Nano): string {
  return `Tollgate does not know ${some(paths)}, and a call with it cost more than its highest bound ($${usdAtMost(worstNano)} for this one), so it is refused everywhere. Leave it out, or ${LIST}.`;
}

/** Of a call that does not fit: why so much is set aside for it. */
export function unknownReserved(paths: readonly string[], worstNano: Nano): string {
  return `Up to $${usdAtMost(worstNano)} is set aside because Tollgate does not know ${some(paths)}: leave it out, or ${LIST}.`;
}
