import type { Attack } from './attack.ts';
import { brokenHttp } from './broken-http.ts';
import { fatTenant } from './fat-tenant.ts';
import { foreignFiles } from './foreign-files.ts';
import { forgedObjects } from './forged-objects.ts';
import { freeFlood } from './free-flood.ts';
import { freeValues } from './free-values.ts';
import { freshCounters } from './fresh-counters.ts';
import { heavyBodies } from './heavy-bodies.ts';
import { hoggedBudget } from './hogged-budget.ts';
import { lostAnswers } from './lost-answers.ts';
import { randomRequests } from './random-requests.ts';
import { runawayLoop } from './runaway-loop.ts';
import { secondLife } from './second-life.ts';
import { spiedBudget } from './spied-budget.ts';
import { understatedCost } from './understated-cost.ts';
import { unseenNames } from './unseen-names.ts';

/** All attacks, in the order in which they run. */
export const ATTACKS: readonly Attack[] = [
  runawayLoop,
  randomRequests,
  brokenHttp,
  heavyBodies,
  secondLife,
  understatedCost,
  unseenNames,
  freeValues,
  hoggedBudget,
  freshCounters,
  spiedBudget,
  lostAnswers,
  freeFlood,
  forgedObjects,
  fatTenant,
  foreignFiles,
];
