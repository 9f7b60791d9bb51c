/**
 * Attacks on the real system by a caller or a tenant, one file each. A file exports an `Attack`; attacks.ts lists them all.
 * While each runs, a neighbour in another namespace makes ordinary calls on every gateway. After each the harness itself
 * checks what must always hold: no process has ended, every call of the neighbour was answered and is in its books to the
 * nano-dollar, and no hostile tenant was charged more than its cap or than its budget counts. What else goes wrong the
 * attack reports itself.
 */

import type { Installation } from '../../../bench/installation.ts';
import type { SeededRandom } from '../../../bench/seeded-random.ts';
import type { HostileTenant, TenantOptions } from './hostile-tenant.ts';

export interface Attack {
  /** Its file name without `.ts`. */
  readonly name: string;
  /** One of the threats in docs/security.md, in one line. */
  readonly threat: string;
  /** Rejects only where the attack itself could not be made; what it finds goes to `scene.report`. */
  run(scene: Scene): Promise<void>;
}

/** What an attack works with. */
export interface Scene {
  readonly installation: Installation;
  /** The same numbers for the same seed. */
  readonly random: SeededRandom;
  /** How many variants to try: few in `make test`, many in `make attack`. */
  readonly variants: number;
  /** Makes a hostile tenant: a namespace of its own with a workspace `app`, a key, and a budget `cap`. */
  readonly tenant: (options: TenantOptions) => Promise<HostileTenant>;
  /** Takes a sentence that says what should not have happened. */
  readonly report: (violation: string) => void;
}
