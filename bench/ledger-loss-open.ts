import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { scrape } from '../hack/run/scrape.ts';
import { formatUsd, parseUsd, nano as toNano, type Nano } from '../policy/core/money.ts';
import { type Proxy, startProxy } from '../test/support/proxy.ts';
import type { Figure } from './figures.ts';
import { Installation, type Team, budget, waitFor } from './installation.ts';
import { MessagesClient } from './messages-client.ts';

const DIRECTORY = join(import.meta.dirname, '../.run/bench-open');
const GATEWAYS = 3;
const OUTAGE_MS = 60_000;
/** Callers of each gateway, each with one call at a time. */
const CALLERS = 8;

/** Cuts Redis off for a minute under `ledgerLoss: Open`, kills a gateway meanwhile, and compares the spend with the bill. */
export async function measureLedgerLossOpen(): Promise<Figure[]> {
  let proxy: Proxy | undefined;
  // An earlier run has spent money of the same budget.
  await Installation.clear(DIRECTORY);
  try {
    const installation = await Installation.start(GATEWAYS, {
      directory: DIRECTORY,
      settings: { ledgerLoss: 'Open', waitSeconds: 2 },
      proxyRedis: async (port) => (proxy = await startProxy(port)).port,
    });
    const team = await installation.team('open', budget('open', 'much', `limit: { usd: '1000.00' }`));
    return [await outage(installation, team, proxy!)];
  } finally {
    await Installation.stop(DIRECTORY);
    await proxy?.stop();
  }
}

async function outage(installation: Installation, team: Team, proxy: Proxy): Promise<Figure> {
  const load = new Load(installation.gateways, team.apiKey);
  await sleep(3_000);
  await proxy.cut();
  const before = load.answered;
  await sleep(OUTAGE_MS / 2);
  process.kill(installation.pid('tollgate-gateway-1'), 'SIGKILL');
  await installation.revive('tollgate-gateway-1');
  await sleep(OUTAGE_MS / 2);
  const meanwhile = load.answered - before;
  await proxy.mend();
  const restored = performance.now();
  const back = await waitFor(async () => (await unsettled(installation)) === 0, 60_000, restored);
  await sleep(1_000);
  await load.stop();
  await waitFor(async () => (await statusOf(installation)).inFlight === 0n, 60_000);
  const { calls, nano } = await installation.owed(team);
  const { spent, presumed, requests } = await statusOf(installation);
  const lost = calls - requests;
  return {
    what: `Redis gone for ${OUTAGE_MS / 1000} s under \`ledgerLoss: Open\`, ${GATEWAYS} gateways, ${GATEWAYS * CALLERS} callers, one gateway killed (SIGKILL) and restarted meanwhile`,
    promised: 'all that was spent is booked after recovery, exactly once',
    measured: `${meanwhile} calls answered meanwhile; all booked ${back === undefined ? 'after more than 60' : (back / 1000).toFixed(1)} s after Redis was back; bill ${calls} calls, $${formatUsd(toNano(nano))}; status ${requests} calls, $${formatUsd(toNano(spent))} spent and $${formatUsd(toNano(presumed))} presumed for ${lost} calls of the killed gateway; ${load.failed} calls failed with it`,
    holds:
      back !== undefined &&
      meanwhile > 1_000 &&
      lost >= 0 &&
      lost <= CALLERS &&
      spent <= nano &&
      nano <= spent + presumed &&
      requests >= load.answered - CALLERS,
  };
}

/** The status of the budget. Nano-dollars. */
async function statusOf(installation: Installation) {
  const { status } = await installation.budget('open', 'much');
  const [spent, presumed, reserved] = [status?.spentUsd, status?.presumedUsd, status?.reservedUsd].map((usd) =>
    parseUsd(usd ?? '0'),
  ) as [Nano, Nano, Nano];
  return { spent, presumed, inFlight: reserved - presumed, requests: status?.requests ?? 0 };
}

/** How many calls are in the write-ahead logs of the gateways. */
async function unsettled({ gateways }: Installation): Promise<number> {
  const texts = await Promise.all(gateways.map(scrape));
  return texts.reduce((sum, text) => sum + Number(/^tollgate_write_ahead_log_calls (.*)$/m.exec(text)?.[1]), 0);
}

/** Small calls to all gateways, as fast as they are answered, streams and whole answers in turn. */
class Load {
  answered = 0;
  /** Calls without an answer, since their gateway was killed. */
  failed = 0;
  readonly #stopped = new AbortController();
  readonly #callers: Promise<void>[];

  constructor(gateways: readonly string[], apiKey: string) {
    this.#callers = gateways.flatMap((url) => {
      const caller = new MessagesClient(url, apiKey, CALLERS);
      return Array.from({ length: CALLERS }, () => this.#call(caller));
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#callers);
  }

  async #call(caller: MessagesClient): Promise<void> {
    for (let n = 0; !this.#stopped.signal.aborted; n++) {
      try {
        const { status } = await caller.send({ stream: n % 2 === 0, behaviour: { latencyMs: 50 } });
        if (status === 200) this.answered += 1;
      } catch {
        this.failed += 1;
        await sleep(200);
      }
    }
  }
}
