import { refOf } from '../core/compiled-policy.ts';
import type { Nano } from '../core/money.ts';
import type { Refusal } from '../refusals/refusals.ts';
import { unknownChooses, unknownExceeded, unknownRefused } from '../refusals/unknown-name-sentences.ts';
import type { RequestFacts } from '../request/request.ts';
import type { UnknownName } from '../request/unknown-names.ts';
import type { ResolvedWorkspace } from './resolved-workspace.ts';

/** The facts without the names that are listed as harmless: what is left is reserved at the highest bound. */
export function withoutHarmless(facts: RequestFacts, { names }: ResolvedWorkspace): RequestFacts {
  if (facts.unknown.length === 0) return facts;
  return { ...facts, unknown: facts.unknown.filter(({ name }) => !names.isHarmless(name)) };
}

/** The refusal of a call for what is unknown in it; null if that may be forwarded. `worstNano`: what it would be reserved at. */
export function unknownRefusal(
  { unknown }: RequestFacts,
  workspace: ResolvedWorkspace,
  worstNano: Nano,
): Refusal | null {
  if (unknown.length === 0) return null;
  const refused = (message: string): Refusal => ({ reason: 'Unsupported', message });
  const choosing = pathsOf(unknown.filter(({ risk }) => risk === 'Chooses'));
  if (choosing.length > 0) return refused(unknownChooses(choosing, worstNano));
  const exceeded = pathsOf(unknown.filter(({ name }) => workspace.names.exceeded.has(name)));
  if (exceeded.length > 0) return refused(unknownExceeded(exceeded, worstNano));
  if (workspace.unknownFields === 'Forward') return null;
  return refused(unknownRefused(pathsOf(unknown), refOf(workspace), worstNano));
}

/** The names for the details of a refusal of a call that they make too large. */
export function unknownIn({ unknown }: RequestFacts): Pick<Refusal, 'unknown'> {
  return unknown.length === 0 ? {} : { unknown: [...new Set(unknown.map(({ name }) => name))] };
}

/** Where they are in the body. */
export function pathsOf(unknown: readonly UnknownName[]): readonly string[] {
  return unknown.map(({ path }) => path);
}
