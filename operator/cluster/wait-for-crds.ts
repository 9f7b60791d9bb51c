import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../kube/client.ts';
import { isKubeError, KubeError } from '../../kube/kube-error.ts';
import { KINDS_DOCUMENT, crdSkewOf } from '../../policy/config/crd-skew.ts';

/** The API server serves CRDs that this version cannot work with. */
class CrdsTooOld extends Error {
  override readonly name = 'CrdsTooOld';

  constructor(missing: readonly string[]) {
    const shown = missing.slice(0, 5).join(', ');
    super(
      `the CRDs are missing or older than this version: they lack ${shown}. Apply those of this version first, by helm upgrade with crds.enabled (docs/reference/versions.md)`,
    );
  }
}

interface WaitOptions {
  readonly client: Pick<KubeClient, 'document'>;
  /** A monotonic clock, in milliseconds. */
  readonly elapsed: () => number;
  /** How long the API server may take to serve CRDs that were just applied. Milliseconds. */
  readonly timeoutMs?: number;
  /** The API server is away, and is waited for; once for each reason that it gives. */
  readonly onProblem: (error: KubeError) => void;
}

const POLL_MS = 500;

/**
 * Waits until both CRDs are served with every field of this version. With older CRDs the operator would read fields
 * without their defaults, and the API server would drop fields of the statuses. An API server that is away is waited for.
 * @throws CrdsTooOld where the API server keeps serving older CRDs for `timeoutMs`.
 */
export async function waitForCrds({ client, elapsed, timeoutMs = 15_000, onProblem }: WaitOptions): Promise<void> {
  const deadline = elapsed() + timeoutMs;
  let said = '';
  for (;;) {
    const missing = await missingFields(client);
    if (missing instanceof KubeError) {
      if (missing.message !== said) onProblem(missing);
      said = missing.message;
    } else if (missing.length === 0) return;
    else if (elapsed() > deadline) throw new CrdsTooOld(missing);
    await sleep(POLL_MS);
  }
}

/** The fields that are missing; an error if the API server is away. */
async function missingFields(client: WaitOptions['client']): Promise<readonly string[] | KubeError> {
  try {
    return crdSkewOf(await client.document(KINDS_DOCUMENT)).lacking;
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return crdSkewOf({}).lacking;
    if (isKubeError(error, 'Unavailable', 'TooMany')) return error;
    if (isKubeError(error, 'Forbidden')) return []; // the account may not read the OpenAPI documents: assume that the CRDs are right
    throw error;
  }
}
