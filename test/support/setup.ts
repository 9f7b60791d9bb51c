import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../../hack/services/control-plane.ts';

declare global {
  /** The control plane of this run, for the teardown. */
  var controlPlane: ControlPlane | undefined;
}

/**
 * Starts one control plane for the whole run, with the CRDs installed. The tests find it through
 * {@link import('./cluster.ts').cluster}.
 *
 * `TOLLGATE_TEST_CLUSTER=off` does without, for pure tests while developing; tests that need it then fail.
 */
export default async function setup(): Promise<void> {
  if (process.env['TOLLGATE_TEST_CLUSTER'] === 'off') return;
  globalThis.controlPlane = await startControlPlane({
    directory: mkdtempSync(join(tmpdir(), 'tollgate-test-')),
    crds: join(import.meta.dirname, '../../crds'),
  });
  process.env['TOLLGATE_TEST_CLUSTER'] = globalThis.controlPlane.kubeconfig;
}
