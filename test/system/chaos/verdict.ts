import type { Figure } from '../../../bench/figures.ts';
import type { ClaudeBudget } from '../../../crds/types.gen.ts';
import { formatUsd, parseUsd, nano as toNano } from '../../../policy/core/money.ts';
import { type Audit, accountOf, concerns, customerAccount } from './audit.ts';
import { BUDGETS, type BudgetName, type Caps } from './caps.ts';
import { CUSTOMERS, STREAMS, type Traffic } from './traffic.ts';
import type { CallRecord, Log, Total } from './usage-rows.ts';

/** What is known of a run after everything is settled. */
export interface Evidence {
  readonly faults: ReadonlyMap<string, number>;
  readonly traffic: Traffic;
  readonly caps: Caps;
  readonly audit: Audit;
  readonly log: Log;
  readonly statuses: ReadonlyMap<BudgetName, NonNullable<ClaudeBudget['status']>>;
}

/** One row for each promise, with whether it held. */
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

/** Outcomes that callers may see: answers, refusals for money, and that something is unreachable for a while. */
const EXPECTED = /^(answered|left|torn|refused|held up|upstream error|50[234] )/;

function answered({ traffic }: Evidence): Figure {
  const strange = [...traffic.outcomes].filter(([outcome]) => !EXPECTED.test(outcome));
  const counts = [...traffic.outcomes].toSorted(([, a], [, b]) => b - a).slice(0, 5);
  return {
    what: `${traffic.calls.size} calls`,
    promised: 'no error but refusals and unreachable parts',
    measured: (strange.length > 0 ? strange : counts).map(([outcome, times]) => `${times} ${outcome}`).join(', '),
    holds: strange.length === 0,
  };
}

function neverOver(name: BudgetName, { audit, caps }: Evidence): Figure {
  const over = audit.faults.filter((fault) => fault.startsWith(name));
  const closest = [...audit.closest].filter(
    ([key]) => key === name || (name === 'customers' && key !== name && key.startsWith(name)),
  );
  const least = closest.map(([, left]) => left).reduce((a, b) => (a < b ? a : b), parseUsd('1000'));
  return {
    what: `${name}: the upstream's bills against the cap, at each of ${audit.bills.size} bills`,
    promised: 'never over, spending and refusing',
    measured:
      over.length > 0
        ? over.slice(0, 3).join('; ')
        : `never; at the closest $${formatUsd(toNano(least))} below; ${caps.refusals(name)} refusals, raised ${caps.raises(name)} times`,
    holds: over.length === 0 && caps.refusals(name) > 0,
  };
}

/** The records of a call: one, or two if its first attempt met a stale connection. Nano-dollars. */
interface Recorded {
  readonly mark: string;
  readonly records: readonly CallRecord[];
  readonly costNano: bigint;
  readonly restNano: bigint;
  readonly estimated: boolean;
}

function byCall(records: readonly CallRecord[]): Recorded[] {
  const groups = Map.groupBy(records, ({ mark }) => mark);
  return [...groups].map(([mark, own]) => ({
    mark,
    records: own,
    costNano: sum(own.map(({ costNano }) => costNano)),
    restNano: sum(own.map(({ restNano }) => restNano)),
    estimated: own.some(({ estimated }) => estimated),
  }));
}

/** A second record, and a second charge, only after an attempt that met a stale connection. */
function tooMany({ mark, records }: Recorded, { charges }: Audit): string[] {
  const mayBeTwo = records.some(({ isStale }) => isStale);
  return [
    ...(records.length > 2 || (records.length === 2 && !mayBeTwo) ? [`${mark} has ${records.length} records`] : []),
    ...((charges.get(mark) ?? 0) > 1 && !mayBeTwo ? [`${mark} was charged twice`] : []),
  ];
}

/** At most one record for each attempt; their cost equals the bills to the nano-dollar, unless one is estimated. */
function exactlyRecorded({ audit, log }: Evidence): Figure {
  const calls = byCall(log.records);
  const seen = new Set(calls.map(({ mark }) => mark));
  const faults = calls.flatMap((call) => tooMany(call, audit));
  let exact = 0;
  let short = 0n;
  for (const { mark, records, costNano, restNano, estimated } of calls) {
    const bill = audit.bills.get(mark) ?? 0n;
    if (!estimated && costNano !== bill)
      faults.push(`${mark} is booked at $${formatUsd(toNano(costNano))} and was charged $${formatUsd(toNano(bill))}`);
    // What stays presumed for a call covers what the upstream charges for it; an attempt whose gateway died has no record.
    const isCovered = restNano === 0n || costNano + restNano >= bill || (audit.charges.get(mark) ?? 0) > records.length;
    if (!isCovered) faults.push(`${mark} is covered by less than its bill`);
    if (!estimated) exact += 1;
    else if (costNano + restNano < bill) short += bill - costNano - restNano;
  }
  const dead = [...audit.bills.keys()].filter((mark) => !seen.has(mark)).length;
  return {
    what: "the log's rows against bills",
    promised: 'one an attempt; equal to the nano-dollar where not estimated',
    measured:
      faults.length > 0
        ? `${faults.length} are wrong: ${faults.slice(0, 3).join('; ')}`
        : `${exact} equal, ${seen.size - exact} estimated ($${formatUsd(toNano(short))} too low where the caller left), ${dead} bills of calls whose gateway died`,
    holds: faults.length === 0,
  };
}

/** Whether a budget's status equals the sums of the log's rows, spent and presumed, and covers everything that was charged. */
function balanced(name: BudgetName, evidence: Evidence): Figure {
  const { statuses, audit, caps } = evidence;
  const status = statuses.get(name);
  const spent = parseUsd(status?.spentUsd ?? '0');
  const presumed = parseUsd(status?.presumedUsd ?? '0');
  const books = audit.sums.get(name) ?? 0n;
  const rows = rowsOf(name, evidence);
  const total = totalOf(name, evidence);
  const left = caps.at(name, Date.now()) - spent - presumed;
  const faults = [
    ...(parseUsd(status?.reservedUsd ?? '0') === presumed ? [] : ['not all is settled']),
    ...(spent === rows.spent && spent === total.spentNano ? [] : [`the log has $${formatUsd(toNano(rows.spent))}`]),
    ...(status?.requests === rows.requests && rows.requests === total.requests ? [] : [`of ${rows.requests} calls`]),
    ...(presumed === total.presumedNano ? [] : [`the log has $${formatUsd(toNano(total.presumedNano))} presumed`]),
    ...(spent === books + rows.estimated - rows.missing ? [] : ['the sum does not hold']),
    ...(presumed >= rows.missing ? [] : ['more was charged than is presumed']),
    ...(left >= 0n ? [] : ['over the cap']),
  ];
  return {
    what: `${name}: the ledger against the upstream's bills of $${formatUsd(toNano(books))}`,
    promised: 'equal except for estimates; a call without a row is presumed; the log has the same sums',
    measured: `spent $${formatUsd(spent)} = bills $${formatUsd(toNano(books))} + estimates $${signed(rows.estimated)} - without a row $${formatUsd(toNano(rows.missing))}; presumed $${formatUsd(presumed)}; $${signed(left)} left${faults.map((fault) => `; ${fault}`).join('')}`,
    holds: faults.length === 0,
  };
}

function customersBalanced(evidence: Evidence): Figure {
  const top = evidence.statuses.get('customers')?.top ?? [];
  const wrong = CUSTOMERS.filter((customer) => {
    const account = customerAccount(customer);
    const shown = parseUsd(top.find(({ values }) => values[0] === customer)?.spentUsd ?? '0');
    return shown !== rowsOf(account, evidence).spent || shown !== totalOf(account, evidence).spentNano;
  });
  return {
    what: `customers: each of ${CUSTOMERS.length}`,
    promised: 'the same for each',
    measured: wrong.length === 0 ? 'the same for each' : `not for ${wrong.join(', ')}`,
    holds: wrong.length === 0,
  };
}

/** What the rows of an account's calls add up to. */
interface Rows {
  readonly spent: bigint;
  readonly requests: number;
  /** By how much the estimates among them differ from the bills. */
  readonly estimated: bigint;
  /** Bills of calls that have no row. */
  readonly missing: bigint;
}

function rowsOf(key: string, { log, audit, traffic }: Evidence): Rows {
  const within = (mark: string): boolean => {
    const asked = traffic.calls.get(mark);
    return asked !== undefined && concerns(key, asked);
  };
  const records = log.records.filter(({ mark }) => within(mark));
  const own = byCall(records);
  const known = new Set(own.map(({ mark }) => mark));
  const missing = [...audit.bills].filter(([mark]) => within(mark) && !known.has(mark));
  const estimates = own.filter(({ estimated }) => estimated);
  return {
    spent: sum(own.map(({ costNano }) => costNano)),
    requests: records.filter(({ isFree }) => !isFree).length,
    estimated: sum(estimates.map(({ mark, costNano }) => costNano - (audit.bills.get(mark) ?? 0n))),
    missing: sum(missing.map(([, nano]) => nano)),
  };
}

const NOTHING = { spentNano: 0n, presumedNano: 0n, requests: 0 };

function totalOf(key: string, { log }: Evidence): Omit<Total, 'counter'> {
  return log.totals.find(({ counter }) => accountOf(counter) === key) ?? NOTHING;
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, nano) => total + nano, 0n);
}

function signed(nano: bigint): string {
  return nano < 0n ? `-${formatUsd(toNano(-nano))}` : formatUsd(toNano(nano));
}
