import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WaitQueue } from '../../../gateway/admission/wait-queue.ts';
import type { RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { Reservation } from '../../../ledger/reservation.ts';
import { nano } from '../../../policy/core/money.ts';
import { startRedis } from '../../support/redis.ts';
import { connected, join, newInstallation } from '../../unit/ledger/ledger-fixtures.ts';

/**
 * Two workspaces contend for a spanning budget on a real Redis, each through gateways with their own wait queues: one with
 * calls that could cost half of the budget, cost nothing and are slow, the other with small ones.
 */

const COMPANY = 'tollgate-system/company/Day/UTC/0';
const CAP = 1_000_000n;
const HOG = 'hog/a';
const VICTIM_CALLS = 10;
const HOUR = 3_600_000;
const FOREVER = new AbortController().signal;

let server: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.stop());

interface Gateway {
  readonly ledger: RedisLedger;
  readonly waitQueue: WaitQueue;
}

let ids = 0;

function reservation(workspace: string, worst: bigint, percent: number): Reservation {
  const now = Date.now();
  const bound = { capNano: nano(CAP), roomNano: nano(CAP - worst), gapRoomNano: nano(0n) };
  const span = { start: now - HOUR, end: now + HOUR, mode: 'Enforce', bound, total: null } as const;
  const check = { budget: 'tollgate-system/company', counter: COMPANY, value: null, ...span };
  const limits = { worstNano: nano(worst), gapNano: nano(0n), from: 0, until: now + HOUR };
  return {
    id: `call-${(ids += 1)}`,
    workspace,
    version: 1,
    ...limits,
    checks: [{ ...check, workspaceReservePercent: percent }],
  };
}

/** Reserves as the admission of a gateway does; `onWait` is told when the call begins to wait. */
async function admit({ ledger, waitQueue }: Gateway, asked: Reservation, onWait = () => {}): Promise<void> {
  const attempt = async (): Promise<boolean> => (await ledger.gateway.reserve(asked)).kind === 'admitted';
  const place = { budget: COMPANY, counter: COMPANY, workspace: asked.workspace };
  if (!waitQueue.isQueued(COMPANY, asked.workspace) && (await attempt())) return;
  onWait();
  await waitQueue.join(place, performance.now() + 60_000, FOREVER, attempt);
}

async function openGateway(installation: string): Promise<Gateway> {
  const ledger = await connected(server, installation, 100_000);
  return { ledger, waitQueue: new WaitQueue(64, () => performance.now()) };
}

/** For each call of the victim, how many of the hog's were admitted while it waited. */
async function contend(percent: number): Promise<number[]> {
  const installation = newInstallation();
  const gateways = [await openGateway(installation), await openGateway(installation)];
  await gateways[0]!.ledger.operator.establish('one');
  for (const [index, { ledger }] of gateways.entries()) await join(ledger, `gateway-${index + 1}`);
  const overtaken: number[] = [];
  let hogCalls = 0;
  const hogLoop = async ({ ledger, waitQueue }: Gateway): Promise<void> => {
    while (overtaken.length < VICTIM_CALLS) {
      const asked = reservation(HOG, CAP / 2n, percent);
      await admit({ ledger, waitQueue }, asked);
      hogCalls += 1;
      const [reading] = await ledger.operator.read([{ counter: COMPANY, per: false, top: 0, also: [] }]);
      expect(reading!.total.committedNano <= CAP).toBe(true);
      await sleep(200);
      await ledger.gateway.release(asked.id);
      waitQueue.wake([COMPANY]);
    }
  };
  const hog = gateways.flatMap((gateway) => Array.from({ length: 6 }, () => hogLoop(gateway)));
  await sleep(200);
  while (overtaken.length < VICTIM_CALLS) {
    let before: number | null = null;
    const asked = reservation('payments/checkout', CAP / 20n, percent);
    await admit(gateways[0]!, asked, () => void (before = hogCalls));
    overtaken.push(before === null ? 0 : hogCalls - before);
    await sleep(20);
    await gateways[0]!.ledger.gateway.release(asked.id);
    gateways[0]!.waitQueue.wake([COMPANY]);
  }
  await Promise.all(hog);
  for (const { ledger } of gateways) ledger.close();
  return overtaken;
}

test('no workspace overtakes a call of another one that waits for a spanning budget', async () => {
  const overtaken = await contend(50);
  // Calls whose answers were under way when the other one began to wait: the budget has room for two.
  expect(Math.max(...overtaken)).toBeLessThanOrEqual(2);
});
