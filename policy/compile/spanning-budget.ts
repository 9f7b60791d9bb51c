import type { ClaudeBudgetSpec } from '../../crds/types.gen.ts';
import { isNamespaceAttribute } from '../config/namespace-attributes.ts';
import type { Settings } from '../config/settings.ts';
import type { CompiledSpanning, Disclosure } from '../core/compiled-policy.ts';
import type { LabelSelector } from '../core/label-selector.ts';
import { amountOf, NotAccepted } from './not-accepted.ts';

/**
 * What only a spanning budget has. It limits tenants who write workspaces and keys themselves, so it may look only at what
 * the platform fixes: the namespace, the attributes that the setting `namespaceAttributes` fixes, and the model that is
 * sent. Throws `NotAccepted` for anything else.
 */
export function compileSpanning(
  { namespaceSelector, disclosure = 'Name', ...spec }: ClaudeBudgetSpec & { readonly namespaceSelector: LabelSelector },
  settings: Settings,
): CompiledSpanning {
  const isChosenByTenants = (name: string): boolean => !isNamespaceAttribute(name, settings);
  checkScope(spec.scope, isChosenByTenants);
  const chosen = spec.per.find(isChosenByTenants);
  if (chosen !== undefined) checkChosenPer(chosen, spec.limit, disclosure);
  if (spec.whenSpent.exempt !== undefined) {
    const message =
      'spec.whenSpent.exempt: remove it; tenants choose the attributes of their keys, so each could exempt its own calls.';
    throw new NotAccepted('Invalid', message);
  }
  if (amountOf('spec.whenSpent.criticalExtraUsd', spec.whenSpent.criticalExtraUsd) > 0n) {
    const message =
      'spec.whenSpent.criticalExtraUsd: remove it; tenants choose the priority of their keys, so each could spend it.';
    throw new NotAccepted('Invalid', message);
  }
  return { selector: namespaceSelector, disclosure };
}

const LISTS = { features: 'feature', customers: 'customer', users: 'user', departments: 'department' } as const;

function checkScope(scope: ClaudeBudgetSpec['scope'], isChosenByTenants: (name: string) => boolean): void {
  if (scope.keys !== undefined) {
    const message =
      'spec.scope.keys: remove it; tenants name their keys themselves. Select namespaces by spec.namespaceSelector.';
    throw new NotAccepted('Invalid', message);
  }
  const listed = Object.entries(LISTS).filter(([list]) => scope[list as keyof typeof LISTS] !== undefined);
  const named = [
    ...listed.map(([list, name]) => [`spec.scope.${list}`, name] as const),
    ...Object.keys(scope.tags ?? {}).map((name) => [`spec.scope.tags.${name}`, name] as const),
  ];
  const wrong = named.find(([, name]) => isChosenByTenants(name));
  if (wrong === undefined) return;
  const [field, name] = wrong;
  const message = `${field}: tenants choose the ${name} of their calls, so they could leave the budget. Fix it by a label of namespaces (setting namespaceAttributes), or select namespaces by spec.namespaceSelector.`;
  throw new NotAccepted('Invalid', message);
}

/** `name`: an attribute in `per` whose values tenants choose. */
function checkChosenPer(name: string, limit: ClaudeBudgetSpec['limit'], disclosure: Disclosure): void {
  if (limit.totalUsd === undefined) {
    const message = `spec.per: tenants choose the ${name} of their calls, so each could open new counters. Set spec.limit.totalUsd, or fix it by a label of namespaces (setting namespaceAttributes).`;
    throw new NotAccepted('Unpooled', message);
  }
  const usd = amountOf('spec.limit.usd', limit.usd);
  const higher = limit.overrides.findIndex((one, i) => amountOf(`spec.limit.overrides[${i}].usd`, one.usd) > usd);
  if (higher !== -1) {
    const message = `spec.limit.overrides[${higher}]: tenants choose the ${name} of their calls, so each could use a higher limit. Write at most spec.limit.usd, or fix it by a label of namespaces (setting namespaceAttributes).`;
    throw new NotAccepted('Invalid', message);
  }
  if (disclosure !== 'Name') {
    const message = `spec.disclosure: write Name; tenants choose the ${name} of their calls, so each could see the figures of another's. Or fix it by a label of namespaces (setting namespaceAttributes).`;
    throw new NotAccepted('Invalid', message);
  }
}
