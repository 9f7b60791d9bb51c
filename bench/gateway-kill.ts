import { setTimeout as sleep } from 'node:timers/promises';
import { formatUsd, parseUsd, nano as toNano } from '../policy/core/money.ts';
import type { Figure } from './figures.ts';
import { Installation, type Team, budget, waitFor } from './installation.ts';
import { type Call, MessagesClient } from './messages-client.ts';

const STREAMS = 50;
const LIMIT = '0.50';
/** Worst case about $0.004. The upstream bills the whole answer although nothing reads the stream. */
const STREAM: Call = { stream: true, behaviour: { holdAfter: 1, abortBilling: 'Full', usage: { output_tokens: 200 } } };

/** Kills a gateway with 50 streams open, restarts it, spends on, and looks for money that went missing. */
export async function measureGatewayKill(): Promise<Figure[]> {
  const installation = await Installation.start(2);
  const team = await installation.team('kill', budget('kill', 'half-dollar', `limit: { usd: '${LIMIT}' }`));
  try {
    await openStreams(installation, team);
    process.kill(installation.pid('tollgate-gateway-1'), 'SIGKILL');
    const killed = performance.now();
    await Installation.start(2);
    const settled = await waitFor(async () => (await presumed(installation)) !== undefined, 30_000, killed);
    const held = (await presumed(installation)) ?? 0n;
    const refused = await spendOn(installation, team);
    await sleep(3_000); // status follows within two seconds
    const { nano } = await installation.owed(team);
    const spent = parseUsd((await installation.budget('kill', 'half-dollar')).status?.spentUsd ?? '0');
    return [
      {
        what: `a gateway killed (SIGKILL) with ${STREAMS} streams open, and restarted`,
        promised: 'nothing over; every reservation settled or presumed within 30 s; status shows it',
        measured: `status shows $${formatUsd(toNano(held))} presumed and nothing else reserved after ${settled === undefined ? 'more than 30' : (settled / 1000).toFixed(1)} s; then spent until refused: bill $${formatUsd(toNano(nano))} of $${LIMIT}, status $${formatUsd(spent)} spent and $${formatUsd(toNano(held))} presumed`,
        holds:
          settled !== undefined &&
          refused &&
          nano <= parseUsd(LIMIT) &&
          spent + held <= parseUsd(LIMIT) &&
          nano <= spent + held,
      },
    ];
  } finally {
    await installation.dismiss(team);
  }
}

async function openStreams(installation: Installation, team: Team): Promise<void> {
  const caller = new MessagesClient(installation.gateways[0] ?? '', team.apiKey, STREAMS);
  let begun = 0;
  for (let stream = 0; stream < STREAMS; stream++) {
    caller.send(STREAM, () => (begun += 1)).catch(() => undefined); // their end is what this is about
  }
  if ((await waitFor(async () => begun === STREAMS, 30_000)) === undefined)
    throw new Error(`only ${begun} streams opened`);
}

/** What status shows as presumed, once that is all that is reserved. Nano-dollars. */
async function presumed(installation: Installation): Promise<bigint | undefined> {
  const { status } = await installation.budget('kill', 'half-dollar');
  const held = parseUsd(status?.presumedUsd ?? '0');
  return held > 0n && held === parseUsd(status?.reservedUsd ?? '0') ? held : undefined;
}

/** Calls until the budget refuses. @returns whether it did. */
async function spendOn(installation: Installation, team: Team): Promise<boolean> {
  const callers = installation.gateways.map((gateway) => new MessagesClient(gateway, team.apiKey, 4));
  let refused = false;
  for (let call = 0; call < 1_000 && !refused; call++) {
    const answer = await callers[call % callers.length]?.send({});
    refused = answer?.status === 429 && answer.text.includes('budget_exceeded');
  }
  await Promise.all(callers.map((caller) => caller.close()));
  return refused;
}
