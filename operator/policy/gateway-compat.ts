import type { LivingGateway } from '../../ledger/operator-ledger.ts';
import { COMPILED_SCHEMA } from '../../policy/core/compiled-policy.ts';

/** A running gateway cannot read what this operator would write. */
export class GatewayTooOld extends Error {
  override readonly name = 'GatewayTooOld';
}

/**
 * Refuses to write what a running gateway cannot read: the fence of a policy that it does not know would stop all of
 * its calls. What it knows stays in force meanwhile. Throws GatewayTooOld, so that the compilation is tried again.
 */
export function requireCompatibleGateways(gateways: readonly LivingGateway[]): void {
  // The first version did not report its schema.
  const old = gateways.filter(({ schema = 1 }) => schema < COMPILED_SCHEMA).map(({ pod }) => pod);
  if (old.length === 0) return;
  throw new GatewayTooOld(
    `${old.join(', ')} cannot read policy of schema ${COMPILED_SCHEMA}, so nothing is written until each is replaced (docs/reference/versions.md)`,
  );
}
