import { rmSync } from 'node:fs';
import { dirname } from 'node:path';

/** Ends the control plane of the run and removes its directory. */
export default async function teardown(): Promise<void> {
  const { controlPlane } = globalThis;
  if (controlPlane === undefined) return;
  await controlPlane.stop();
  rmSync(dirname(controlPlane.kubeconfig), { recursive: true, force: true });
}
