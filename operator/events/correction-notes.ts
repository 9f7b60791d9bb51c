import type { Corrected, NotCorrected } from '../../log/corrections.ts';
import { formatUsd, subtract, sum, ZERO } from '../../policy/core/money.ts';

const PAGE = 'docs/how-to/correct-a-call.md';

/** What the Event says after calls were corrected. */
export function correctedNote(corrected: readonly Corrected[]): string {
  const [first] = corrected;
  if (first !== undefined && corrected.length === 1) {
    const { id, fromNano, costNano, reason } = first;
    if (fromNano === costNano) return `Call ${id} counts at $${formatUsd(costNano)} already.`;
    return `Call ${id} was corrected from $${formatUsd(fromNano)} to $${formatUsd(costNano)}: ${reason}`;
  }
  const givenBack = sum(corrected.map(({ fromNano, costNano }) => subtract(fromNano, costNano)));
  const amount = givenBack < 0n ? subtract(ZERO, givenBack) : givenBack;
  const what = `$${formatUsd(amount)} ${givenBack < 0n ? 'more' : 'less'} in all`;
  return `${corrected.length} calls were corrected, which cost ${what}: ${first?.reason ?? ''}`;
}

/** Why a call was not corrected, and what to write instead. */
export function notCorrectedNote(mistaken: NotCorrected): string {
  return NOTES[mistaken.problem](mistaken, mistaken.id.slice(0, 100));
}

const NOTES: Readonly<Record<NotCorrected['problem'], (mistaken: NotCorrected, id: string) => string>> = {
  Unknown: (_, id) => `The usage log has no call ${id}. Write the id of one of its rows (${PAGE}).`,
  Presumed: (_, id) => `Call ${id} has not ended yet: correct it once it is settled.`,
  WithoutCounters: (_, id) =>
    `Call ${id} was logged by an earlier version, which did not say in which budgets it counts, so it stays as it is.`,
  AboveWorst: ({ costNano, mostNano }, id) => {
    const most = formatUsd(mostNano);
    return `Call ${id} cannot have cost $${formatUsd(costNano)}: at most $${most} was set aside or booked for it. Write an amount from 0 to ${most}.`;
  },
};
