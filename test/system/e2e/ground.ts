import { prepareNamespace, release } from './release.ts';
import { startStandIn } from './stand-in.ts';
import { whole } from './workloads.ts';

/** What most tests begin with: the stand-in, and the installation of this tree with all its Pods ready. */
export async function prepareGround(): Promise<void> {
  await prepareNamespace();
  await startStandIn();
  await release.apply();
  await whole();
}
