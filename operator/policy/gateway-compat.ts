import type { LivingGateway } from '../../ledger/ledger.ts';
import { COMPILED_SCHEMA } from '../../policy/core/compiled-policy.ts';

/** A gateway that lives cannot read what this operator would write. */
export class GatewayTooOld extends Error {
  override readonly name = 'GatewayTooOld';
}

/**
 * Nothing is written that a living gateway cannot read: the fence of what it does not know would stop all of its calls,
 * and what it knows stays in force meanwhile. Throws `GatewayTooOld`, so that it is tried again.
 */
export function requireCompatibleGateways(gateways: readonly LivingGateway[]): void {
  // Those that do not say are of the time of the first schema.
  const old = gateways.filter(({ schema = 1 }) => schema < COMPILED_SCHEMA).map(({ pod }) => pod);
  if (old.length === 0) return;
  throw new GatewayTooOld(
    `${old.join(', ')} cannot read policy of schema ${COMPILED_SCHEMA}, so nothing is written until each is replaced (docs/reference/versions.md)`,
  );
}
