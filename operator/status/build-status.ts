/** Builds the status of a resource. Pure. */

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
import { condition, type ConditionType, type Finding } from '../../policy/core/conditions.ts';
import type { PeriodLookup } from '../../policy/core/period.ts';
import { exhausted, budgetFigures } from '../../policy/status/budget-figures.ts';
import { budgetReady, workspaceReady } from '../../policy/status/condition-findings.ts';
import type { LedgerFigures } from './ledger-reader.ts';

/** The figures of a budget that was never accepted. */
export const NOT_IN_FORCE = {
  kind: 'Missing',
  reason: 'NotInForce',
  message: 'The budget was never accepted, so nothing is counted.',
} as const satisfies LedgerFigures;

interface BudgetInput {
  /** With its status as last written. */
  readonly budget: ClaudeBudget;
  readonly outcome: BudgetOutcome;
  readonly programmed: Finding<'Programmed'>;
  readonly figures: LedgerFigures;
  readonly periods: PeriodLookup;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** While the ledger gives no figures the last ones stay, so the status never shows less spend than was known. */
export function budgetStatus(input: BudgetInput): ClaudeBudgetStatus {
  const { budget, outcome, programmed, figures, periods, now } = input;
  const { inForce } = outcome;
  const conditionOf = conditioner(budget, now);
  const { conditions: _, workspace: __, ...last } = budget.status ?? {};
  const fields =
    inForce === null
      ? {}
      : figures.kind === 'Read'
        ? budgetFigures(inForce, figures.reading, figures.now, { periods })
        : last;
  return {
    conditions: [
      conditionOf('Accepted', outcome.accepted),
      conditionOf('Programmed', programmed),
      conditionOf('Exhausted', exhaustion(input)),
      conditionOf('Ready', budgetReady(outcome, programmed)),
    ],
    workspace: budget.spec.workspaceRef?.name ?? counted(outcome.required.length),
    ...fields,
  } as ClaudeBudgetStatus;
}

interface WorkspaceInput {
  /** With its status as last written. */
  readonly workspace: ClaudeWorkspace;
  readonly outcome: WorkspaceOutcome;
  readonly programmed: Finding<'Programmed'>;
  readonly logged: Finding<'Logged'>;
  readonly settings: Pick<Settings, 'requireBudget'>;
  /** The names of its keys whose Secret exists. */
  readonly keys: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function workspaceStatus(input: WorkspaceInput): ClaudeWorkspaceStatus {
  const { workspace, outcome, programmed, logged, settings, now } = input;
  const keys = workspace.spec.keys.filter(({ name }) => input.keys.has(name));
  const budgets = outcome.budgets.map(refOf);
  const conditionOf = conditioner(workspace, now);
  return {
    conditions: [
      conditionOf('Accepted', outcome.accepted),
      conditionOf('Programmed', programmed),
      conditionOf('Logged', logged),
      conditionOf('Ready', workspaceReady(outcome, programmed, settings)),
    ],
    keys: keys.map(({ name, secretName }) => ({ name, secretName })),
    keyCount: keys.length,
    budgets: budgets.slice(0, MAX_BUDGETS),
    budgetCount: budgets.length,
  };
}

/** The CRD's maxItems of `status.budgets`. */
const MAX_BUDGETS = 64;

/** Makes conditions of a resource; `lastTransitionTime` moves only where the condition's status does. */
function conditioner({ metadata, status }: ClaudeBudget | ClaudeWorkspace, now: number) {
  return <T extends ConditionType>(type: T, finding: Finding<T>): Condition =>
    condition(type, finding, metadata.generation ?? 0, now, status?.conditions ?? []);
}

function exhaustion({ outcome: { inForce }, figures, periods }: BudgetInput): Finding<'Exhausted'> {
  if (inForce === null) return { reason: NOT_IN_FORCE.reason, message: NOT_IN_FORCE.message };
  if (figures.kind === 'Missing') return { reason: figures.reason, message: figures.message };
  return exhausted(inForce, figures.reading, figures.now, periods);
}

function counted(workspaces: number): string {
  return workspaces === 1 ? '1 workspace' : `${workspaces} workspaces`;
}
