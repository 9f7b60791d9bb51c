import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../kube/client.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import { KINDS_DOCUMENT, crdSkewOf } from '../../policy/config/crd-skew.ts';

/** The API server serves kinds that this version cannot work with. */
class KindsTooOld extends Error {
  override readonly name = 'KindsTooOld';
}

interface KindsOptions {
  readonly client: Pick<KubeClient, 'document'>;
  /** Milliseconds of a monotonic clock. */
  readonly elapsed: () => number;
  /** How long the API server may take to serve CRDs that were applied just now. Milliseconds. */
  readonly patienceMs?: number;
}

const POLL_MS = 500;

/**
 * Waits until both kinds are served with every field of this version. An operator that works with older ones would read
 * what has no default, and write status that the API server drops. An API server that is away is waited for.
 * @throws Error where it answered for so long that they are not.
 */
export async function waitForCrds({ client, elapsed, patienceMs = 15_000 }: KindsOptions): Promise<void> {
  const deadline = elapsed() + patienceMs;
  for (;;) {
    const lacking = await lackingIn(client);
    if (lacking?.length === 0) return;
    if (lacking !== null && elapsed() > deadline) throw tooOld(lacking);
    await sleep(POLL_MS);
  }
}

/** Null where the API server does not say. */
async function lackingIn(client: KindsOptions['client']): Promise<readonly string[] | null> {
  try {
    return crdSkewOf(await client.document(KINDS_DOCUMENT)).lacking;
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return crdSkewOf({}).lacking;
    if (isKubeError(error, 'Unavailable', 'TooMany')) return null;
    if (isKubeError(error, 'Forbidden')) return []; // a cluster that hides its documents is trusted to have the right ones
    throw error;
  }
}

function tooOld(lacking: readonly string[]): KindsTooOld {
  const shown = lacking.slice(0, 5).join(', ');
  return new KindsTooOld(
    `the CRDs are missing or older than this version: they lack ${shown}. Apply those of this version first, by helm upgrade with crds.enabled (docs/reference/versions.md)`,
  );
}
