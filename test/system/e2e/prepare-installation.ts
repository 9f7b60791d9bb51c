import { prepareNamespace, release } from './release.ts';
import { startStandIn } from './stand-in.ts';
import { whole } from './workloads.ts';

/** Starts the stand-in, installs this tree's chart, and waits until all Pods are ready. */
export async function prepareInstallation(): Promise<void> {
  await prepareNamespace();
  await startStandIn();
  await release.apply();
  await whole();
}
