/** The status of each resource, from what is known of it. Pure. */

import type {
  ClaudeBudget,
  ClaudeBudgetStatus,
  ClaudeWorkspace,
  ClaudeWorkspaceStatus,
  Condition,
} from '../../crds/types.gen.ts';
import type { BudgetOutcome, WorkspaceOutcome } from '../../policy/compile/compile-output.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { condition, type ConditionType, type Finding, type Reason } from '../../policy/core/conditions.ts';
import type { Reading } from '../../policy/core/counter-reading.ts';
import type { PeriodLookup } from '../../policy/core/period.ts';
import { exhausted, budgetFigures } from '../../policy/status/budget-figures.ts';
import { budgetReady, workspaceReady } from '../../policy/status/readiness.ts';

/** What the ledger says of a budget, at `now` by its clock (milliseconds), or why it says nothing. */
export type Observed =
  | { readonly reading: Reading; readonly now: number }
  | { readonly problem: string; readonly reason: Reason<'Exhausted'> };

interface BudgetFacts {
  readonly budget: ClaudeBudget;
  readonly verdict: BudgetOutcome;
  readonly programmed: Finding<'Programmed'>;
  readonly observed: Observed;
  readonly now: number;
  readonly periods: PeriodLookup;
}

/** Without an answer of the ledger the last figures stay; what is spent is never shown as less than was known. */
export function budgetStatus(facts: BudgetFacts): ClaudeBudgetStatus {
  const { budget, verdict, programmed, observed } = facts;
  const { inForce } = verdict;
  const isKnown = 'reading' in observed;
  const of = conditioner(budget, facts.now);
  const { conditions: _, workspace: __, ...last } = budget.status ?? {};
  const figures =
    inForce !== null && isKnown
      ? budgetFigures(inForce, observed.reading, observed.now, { periods: facts.periods })
      : undefined;
  return {
    conditions: [
      of('Accepted', verdict.accepted),
      of('Programmed', programmed),
      of('Exhausted', exhaustion(facts)),
      of('Ready', budgetReady(verdict, programmed)),
    ],
    workspace: budget.spec.workspaceRef?.name ?? counted(verdict.required.length),
    ...(figures ?? (inForce === null ? {} : last)),
  } as ClaudeBudgetStatus;
}

interface WorkspaceFacts {
  readonly workspace: ClaudeWorkspace;
  readonly verdict: WorkspaceOutcome;
  readonly programmed: Finding<'Programmed'>;
  readonly logged: Finding<'Logged'>;
  readonly settings: Settings;
  /** The names of its keys whose Secret is in place. */
  readonly keys: ReadonlySet<string>;
  readonly now: number;
}

/** Its keys are listed once their Secrets are in place. */
export function workspaceStatus(facts: WorkspaceFacts): ClaudeWorkspaceStatus {
  const { workspace, verdict, programmed, logged } = facts;
  const keys = workspace.spec.keys.filter(({ name }) => facts.keys.has(name));
  const budgets = verdict.budgets.map(refOf);
  const of = conditioner(workspace, facts.now);
  return {
    conditions: [
      of('Accepted', verdict.accepted),
      of('Programmed', programmed),
      of('Logged', logged),
      of('Ready', workspaceReady(verdict, programmed, facts.settings)),
    ],
    keys: keys.map(({ name, secretName }) => ({ name, secretName })),
    keyCount: keys.length,
    budgets: budgets.slice(0, SHOWN_BUDGETS),
    budgetCount: budgets.length,
  };
}

/** The CRD allows so many. */
const SHOWN_BUDGETS = 64;

/** Makes the conditions of a resource; a time of transition moves only where the status does. */
function conditioner({ metadata, status }: ClaudeBudget | ClaudeWorkspace, now: number) {
  return <T extends ConditionType>(type: T, finding: Finding<T>): Condition =>
    condition(type, finding, metadata.generation ?? 0, now, status?.conditions ?? []);
}

function exhaustion({ verdict: { inForce }, observed, periods }: BudgetFacts): Finding<'Exhausted'> {
  if (inForce === null)
    return { reason: 'NotInForce', message: 'The budget was never accepted, so nothing is counted.' };
  if ('problem' in observed) return { reason: observed.reason, message: observed.problem };
  return exhausted(inForce, observed.reading, observed.now, periods);
}

function counted(workspaces: number): string {
  return workspaces === 1 ? '1 workspace' : `${workspaces} workspaces`;
}
