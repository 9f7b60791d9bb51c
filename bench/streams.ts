import { scrape } from '../hack/run/scrape.ts';
import { parseUsd } from '../policy/core/money.ts';
import type { Figure } from './figures.ts';
import { Installation, waitFor } from './installation.ts';
import { MessagesClient } from './messages-client.ts';
import { FOUR, fourBudgets } from './overhead.ts';

const STREAMS = 1_000;

/** Holds a thousand streams open through one gateway, and looks at its memory and at what arrives when they go on. */
export async function measureStreams(): Promise<Figure[]> {
  await Installation.stop(); // what a gateway did before would count as memory of its streams
  const installation = await Installation.start(1);
  const team = await installation.team('streams', fourBudgets('streams'));
  const [gateway = ''] = installation.gateways;
  const caller = new MessagesClient(gateway, team.apiKey, STREAMS);
  try {
    let begun = 0;
    const call = { stream: true, headers: FOUR, behaviour: { holdAfter: 2 } };
    const answers = Array.from({ length: STREAMS }, () => caller.send(call, () => (begun += 1)));
    await waitFor(async () => begun === STREAMS, 60_000);
    const open = await residentMegabytes(gateway);
    await installation.release();
    const finished = (await Promise.all(answers)).filter(
      ({ status, text }) => status === 200 && text.includes('message_stop'),
    );
    const peak = Math.max(open, await residentMegabytes(gateway));
    const { calls, nano } = await installation.owed(team);
    const agrees = await waitFor(async () => (await spent(installation)) === nano, 10_000);
    return [
      {
        what: '1,000 open streams in one process',
        promised: '≤ 300 MB RSS, nothing lost',
        measured: `${Math.round(peak)} MB; ${finished.length} streams ended; the bill has ${calls} calls, the status ${agrees === undefined ? 'another sum' : 'the same sum'}`,
        holds: peak <= 300 && finished.length === STREAMS && calls === STREAMS && agrees !== undefined,
      },
    ];
  } finally {
    await caller.close();
    await installation.dismiss(team);
  }
}

async function spent(installation: Installation): Promise<bigint> {
  return parseUsd((await installation.budget('streams', 'workspace')).status?.spentUsd ?? '0');
}

async function residentMegabytes(gateway: string): Promise<number> {
  const metrics = await scrape(gateway);
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]) / 2 ** 20;
}
