import { connectLedger, type RedisLedger } from '../../ledger/redis/connect-ledger.ts';
import type { Reservation, Settlement } from '../../ledger/reservation.ts';
import { nano } from '../../policy/core/money.ts';
import type { UsageRecord } from '../../policy/core/usage-record.ts';

const HOUR = 3_600_000;
const WORST = 1_000_000n;
const ROOM = 10n ** 18n;
/** When the period of every counter ends, so that runs compare. */
const END = Math.ceil(Date.now() / HOUR) * HOUR + HOUR;

/** The counters of a call of a customer: a pool, and all customers with one of their own each. */
export const counters = (customer: string) => [
  'payments/workspace/Day/UTC/0',
  'payments/customers/Day/UTC/0',
  `payments/customers/Day/UTC/0#${JSON.stringify([customer])}`,
];

/** A ledger with an epoch, and a gateway in it that makes calls. The caller closes it. */
export async function connectCalls(url: string, gateway: string): Promise<RedisLedger> {
  const ledger = await new Promise<RedisLedger>((resolve) => {
    const connected = connectLedger({
      url,
      installation: 'log',
      epoch: () => 'log',
      commandTimeout: 20_000,
      onReachable: (reachable) => reachable && resolve(connected),
    });
  });
  await ledger.operator.establish('log');
  ledger.gateway.begin(gateway);
  await ledger.gateway.beat({ pod: gateway, shards: {} });
  return ledger;
}

/** What a call of a customer asks of its counters. */
export function reservationOf(id: string, customer: string): Reservation {
  const bound = { capNano: nano(ROOM), roomNano: nano(ROOM - WORST), gapRoomNano: nano(0n) };
  const span = { start: 0, end: END, mode: 'Enforce', bound } as const;
  const [pool = '', all = ''] = counters(customer);
  return {
    id,
    workspace: 'payments/checkout',
    version: 1,
    worstNano: nano(WORST),
    gapNano: nano(0n),
    from: 0,
    until: END,
    checks: [
      { ...span, budget: 'payments/workspace', counter: pool, value: null, total: null },
      { ...span, budget: 'payments/customers', counter: all, value: JSON.stringify([customer]), total: bound },
    ],
  };
}

/** Reserves a call of a customer. */
export async function reserve(ledger: RedisLedger, id: string, customer: string): Promise<void> {
  const answer = await ledger.gateway.reserve(reservationOf(id, customer));
  if (answer.kind !== 'admitted') throw new Error(`the ledger answered ${answer.kind}`);
}

/** A whole call: reserved, and settled with a record that has what is given. */
export async function call(
  ledger: RedisLedger,
  id: string,
  customer: string,
  {
    costNano = nano(1_000n),
    presumedNano = nano(0n),
    record = {},
  }: Partial<Omit<Settlement, 'record'>> & { record?: Fields } = {},
): Promise<void> {
  await reserve(ledger, id, customer);
  await ledger.gateway.settle({ id, costNano, presumedNano, record: recordOf(id, customer, costNano, record) });
}

type Fields = Readonly<Record<string, unknown>>;

/** A usage record as a gateway writes it, with some fields replaced, also by values that no gateway writes. */
export function recordOf(id: string, customer: string, costNano: bigint, more: Fields = {}): UsageRecord {
  return {
    id,
    state: 'final',
    timestamp: '2026-11-25T10:00:00.000Z',
    workspace: 'payments/checkout',
    key: 'api',
    feature: 'checkout',
    customer,
    user: 'ada',
    department: null,
    tags: '{"env":"prod"}',
    model: 'claude-sonnet-5-5',
    asked_model: 'claude-opus-5-5',
    input_tokens: 812,
    output_tokens: 640,
    cost_nano: String(costNano),
    presumed_nano: '0',
    worst_nano: String(WORST),
    estimated: false,
    status: 200,
    stream: true,
    duration_ms: 8123,
    ...more,
  };
}
