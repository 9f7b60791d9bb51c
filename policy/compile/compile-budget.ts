import type { ClaudeBudget, ClaudeBudgetSpec } from '../../crds/types.gen.ts';
import type { Settings } from '../config/settings.ts';
import type { CompiledBudget, CompiledPeriod } from '../core/compiled-policy.ts';
import { isTimeZone } from '../core/period.ts';
import { amountOf, instantOf, NotAccepted } from './not-accepted.ts';

/** Compiles one budget without its workspaces. Throws `NotAccepted`. */
export function compileBudget({ metadata, spec }: ClaudeBudget, settings: Settings): CompiledBudget {
  checkTarget(spec, metadata.namespace, settings);
  checkValues(spec);
  const { limit, whenSpent } = spec;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    generation: metadata.generation ?? 0,
    mode: spec.mode,
    suspend: spec.suspend,
    scope: spec.scope,
    per: spec.per,
    period: periodOf(spec.period),
    limitNano: amountOf('spec.limit.usd', limit.usd),
    ...(limit.totalUsd === undefined ? {} : { totalNano: amountOf('spec.limit.totalUsd', limit.totalUsd) }),
    toleranceNano: amountOf('spec.limit.toleranceUsd', limit.toleranceUsd),
    overrides: limit.overrides.map(({ values, usd }, i) => ({
      values,
      limitNano: amountOf(`spec.limit.overrides[${i}].usd`, usd),
    })),
    grants: spec.grants.map(({ usd, fromTime, untilTime }, i) => ({
      amountNano: amountOf(`spec.grants[${i}].usd`, usd),
      from: fromTime === undefined ? 0 : instantOf(`spec.grants[${i}].fromTime`, fromTime),
      until: instantOf(`spec.grants[${i}].untilTime`, untilTime),
    })),
    ...(whenSpent.exempt === undefined ? {} : { exempt: whenSpent.exempt }),
    criticalExtraNano: amountOf('spec.whenSpent.criticalExtraUsd', whenSpent.criticalExtraUsd),
  };
}

function checkTarget(spec: ClaudeBudgetSpec, namespace: string, settings: Settings): void {
  if ((spec.workspaceRef === undefined) === (spec.namespaceSelector === undefined)) {
    throw new NotAccepted('Invalid', 'spec: give either workspaceRef or namespaceSelector.');
  }
  if (spec.namespaceSelector !== undefined && namespace !== settings.namespace) {
    const message = `spec.namespaceSelector is allowed only in namespace ${settings.namespace}, because such a budget spans workspaces. Set spec.workspaceRef instead.`;
    throw new NotAccepted('SpanningNotAllowed', message);
  }
}

function checkValues({ per, limit }: ClaudeBudgetSpec): void {
  if (limit.totalUsd !== undefined && per.length === 0) {
    throw new NotAccepted(
      'Invalid',
      'spec.limit.totalUsd: remove it, or set spec.per; without per the limit is the total.',
    );
  }
  if (limit.overrides.some(({ values }) => values.length !== per.length)) {
    throw new NotAccepted('Invalid', 'spec.limit.overrides: give each one value for every attribute in spec.per.');
  }
}

function periodOf({ every, timeZone, startTime }: ClaudeBudgetSpec['period']): CompiledPeriod {
  if (!isTimeZone(timeZone)) {
    const message = `spec.period.timeZone: ${JSON.stringify(timeZone)} is not a known time zone. Write UTC or a name such as Europe/Berlin.`;
    throw new NotAccepted('Invalid', message);
  }
  if ((every === 'Once') !== (startTime !== undefined)) {
    throw new NotAccepted('Invalid', 'spec.period.startTime: give it to a budget for Once, and to no other.');
  }
  return startTime === undefined
    ? { every, timeZone }
    : { every, timeZone, start: instantOf('spec.period.startTime', startTime) };
}
