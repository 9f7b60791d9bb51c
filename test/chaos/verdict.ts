import type { Figure } from '../../bench/figures.ts';
import { formatUsd, parseUsd } from '../../policy/money.ts';
import type { ClaudeBudget } from '../../crds/types.gen.ts';
import { type Audit, concerns, customerAccount, isChargedTo, isCounterOf } from './audit.ts';
import { BUDGETS, type BudgetName, type Caps } from './caps.ts';
import type { CallRecord } from './records.ts';
import { CUSTOMERS, STREAMS, type Traffic } from './traffic.ts';

/** All that is known when a run has ended and everything is settled. */
export interface Evidence {
  readonly faults: ReadonlyMap<string, number>;
  readonly traffic: Traffic;
  readonly caps: Caps;
  readonly audit: Audit;
  readonly records: readonly CallRecord[];
  readonly statuses: ReadonlyMap<BudgetName, NonNullable<ClaudeBudget['status']>>;
}

/** The verdict, a row for each promise. */
export function verdict(evidence: Evidence): Figure[] {
  return [
    happened(evidence),
    opened(evidence),
    answered(evidence),
    ...BUDGETS.map((name) => neverOver(name, evidence)),
    exactlyRecorded(evidence),
    ...BUDGETS.map((name) => balanced(name, evidence)),
    customersBalanced(evidence),
  ];
}

function happened({ faults }: Evidence): Figure {
  return {
    what: 'faults',
    promised: 'each kind at least once',
    measured: [...faults].map(([name, times]) => `${times} ${name}`).join(', '),
    holds: [...faults.values()].every((times) => times > 0),
  };
}

function opened({ traffic }: Evidence): Figure {
  return {
    what: 'streams open at once',
    promised: `≥ ${STREAMS}`,
    measured: `${traffic.peak}`,
    holds: traffic.peak >= STREAMS,
  };
}

/** What callers may see: answers, refusals for money, and that something is out of reach for a while. */
const EXPECTED = /^(answered|left|torn|refused|held up|upstream error|50[234] )/;

function answered({ traffic }: Evidence): Figure {
  const strange = [...traffic.outcomes].filter(([outcome]) => !EXPECTED.test(outcome));
  const counts = [...traffic.outcomes].toSorted(([, a], [, b]) => b - a).slice(0, 5);
  return {
    what: `${traffic.calls.size} calls`,
    promised: 'no other answers than refusals and what is out of reach',
    measured: (strange.length > 0 ? strange : counts).map(([outcome, times]) => `${times} ${outcome}`).join(', '),
    holds: strange.length === 0,
  };
}

function neverOver(name: BudgetName, { audit, caps }: Evidence): Figure {
  const over = audit.faults.filter((fault) => fault.startsWith(name) || fault.includes('charged twice'));
  const closest = [...audit.closest].filter(
    ([key]) => key === name || (name === 'customers' && key !== name && key.startsWith(name)),
  );
  const least = closest.map(([, left]) => left).reduce((a, b) => (a < b ? a : b), parseUsd('1000'));
  return {
    what: `${name}: upstream's books against the cap, at each of ${audit.bills.size} bills`,
    promised: 'never over, spending and refusing',
    measured:
      over.length > 0
        ? over.slice(0, 3).join('; ')
        : `never; at the closest $${formatUsd(least)} below; ${caps.refusals(name)} refusals, raised ${caps.raises(name)} times`,
    holds: over.length === 0 && caps.refusals(name) > 0,
  };
}

/** One record a call at most; its cost is the bill's, to the nano-dollar, unless the record says that it is estimated. */
function exactlyRecorded({ audit, records, traffic }: Evidence): Figure {
  const seen = new Set<string>();
  const faults: string[] = [];
  let exact = 0;
  let short = 0n;
  const rests = new Map(records.map(({ id, presumedNano }) => [id, presumedNano]));
  for (const { id, mark, costNano, estimated, counters } of records) {
    if (mark === null) continue;
    if (seen.has(mark)) faults.push(`${mark} has two records`);
    seen.add(mark);
    const asked = traffic.calls.get(mark);
    if (asked === undefined || !isChargedTo(counters, asked))
      faults.push(`${mark} is booked in ${counters.join(', ')}`);
    const bill = audit.bills.get(mark) ?? 0n;
    const rest = rests.get(`${id}/rest`) ?? 0n;
    if (!estimated && costNano !== bill)
      faults.push(`${mark} is booked at $${formatUsd(costNano)} and was charged $${formatUsd(bill)}`);
    // What is kept in place for a call covers what the upstream charges for it.
    if (rest > 0n && costNano + rest < bill) faults.push(`${mark} is covered by less than its bill`);
    if (!estimated) exact += 1;
    else if (costNano + rest < bill) short += bill - costNano - rest;
  }
  const dead = [...audit.bills.keys()].filter((mark) => !seen.has(mark)).length;
  return {
    what: 'records against bills',
    promised: 'one a call, in its budgets; equal to the nano-dollar where not estimated',
    measured:
      faults.length > 0
        ? `${faults.length} are wrong: ${faults.slice(0, 3).join('; ')}`
        : `${exact} equal, ${seen.size - exact} estimated ($${formatUsd(short)} too low where the caller left), ${dead} bills of calls whose gateway died`,
    holds: faults.length === 0,
  };
}

/** Whether a budget's status is the sum of the records, spent and presumed, and covers all that was charged. */
function balanced(name: BudgetName, evidence: Evidence): Figure {
  const { statuses, audit, caps } = evidence;
  const status = statuses.get(name);
  const spent = parseUsd(status?.spentUsd ?? '0');
  const presumed = parseUsd(status?.presumedUsd ?? '0');
  const books = audit.sums.get(name) ?? 0n;
  const { recorded, presumedByRecords, estimated, unrecorded } = accountOf(name, evidence);
  const left = caps.at(name, Date.now()) - spent - presumed;
  const settled = parseUsd(status?.reservedUsd ?? '0') === presumed;
  return {
    what: `${name}: the ledger against upstream's books of $${formatUsd(books)}`,
    promised: 'equal but for what is estimated; what has no record is presumed; both within the cap',
    measured: `spent $${formatUsd(spent)} = books $${formatUsd(books)} + estimates $${signed(estimated)} - without record $${formatUsd(unrecorded)}; presumed $${formatUsd(presumed)}; $${signed(left)} left${settled ? '' : '; not all settled'}`,
    holds:
      settled &&
      spent === recorded &&
      spent === books + estimated - unrecorded &&
      presumed === presumedByRecords &&
      presumed >= unrecorded &&
      left >= 0n,
  };
}

function customersBalanced(evidence: Evidence): Figure {
  const top = evidence.statuses.get('customers')?.top ?? [];
  const wrong = CUSTOMERS.filter((customer) => {
    const shown = parseUsd(top.find(({ values }) => values[0] === customer)?.spentUsd ?? '0');
    return shown !== accountOf(customerAccount(customer), evidence).recorded;
  });
  return {
    what: `customers: each of ${CUSTOMERS.length}`,
    promised: 'the same for each',
    measured: wrong.length === 0 ? 'the same for each' : `not for ${wrong.join(', ')}`,
    holds: wrong.length === 0,
  };
}

interface Sums {
  /** By the records. */
  readonly recorded: bigint;
  readonly presumedByRecords: bigint;
  /** By how much the records' estimates differ from the bills. */
  readonly estimated: bigint;
  /** Bills of calls that have no record. */
  readonly unrecorded: bigint;
}

function accountOf(key: string, { records, audit, traffic }: Evidence): Sums {
  const own = records.filter(({ counters }) => counters.some((counter) => isCounterOf(key, counter)));
  const known = new Map(own.map((record) => [record.mark, record]));
  const unrecorded = [...audit.bills].filter(([mark]) => {
    const asked = traffic.calls.get(mark);
    return asked !== undefined && concerns(key, asked) && !known.has(mark);
  });
  return {
    recorded: sum(own.map(({ costNano }) => costNano)),
    presumedByRecords: sum(own.map(({ presumedNano }) => presumedNano)),
    estimated: sum(
      own.map(({ mark, estimated, costNano }) => (estimated ? costNano - (audit.bills.get(mark ?? '') ?? 0n) : 0n)),
    ),
    unrecorded: sum(unrecorded.map(([, nano]) => nano)),
  };
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, nano) => total + nano, 0n);
}

function signed(nano: bigint): string {
  return nano < 0n ? `-${formatUsd(-nano)}` : formatUsd(nano);
}
