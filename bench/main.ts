import { assetFolder } from '../hack/assets/asset-folder.ts';
import { measureBodies } from './bodies.ts';
import { measureCapacity } from './capacity.ts';
import { measureEnforcement } from './enforcement.ts';
import { measureFailover } from './failover.ts';
import { type Figure, machine, table } from './figures.ts';
import { measureGatewayKill } from './gateway-kill.ts';
import { measureIngest } from './ingest.ts';
import { Installation } from './installation.ts';
import { measureLedgerLossOpen } from './ledger-loss-open.ts';
import { measureOverhead } from './overhead.ts';
import { measureOvershoot } from './overshoot.ts';
import { measureRefusals } from './refusals.ts';
import { measureScale } from './scale.ts';
import { measureStreams } from './streams.ts';

// `make bench`: measures what docs/performance.md and docs/guarantees.md say, on the real system. ONLY=overhead,streams
// runs some of the parts. Exits with a status other than 0 if a figure does not hold.

const PARTS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  overhead: measureOverhead,
  refusals: measureRefusals,
  streams: measureStreams,
  bodies: measureBodies,
  enforcement: measureEnforcement,
  overshoot: measureOvershoot,
  'gateway-kill': measureGatewayKill,
  'ledger-loss-open': measureLedgerLossOpen,
  ingest: measureIngest,
  failover: measureFailover,
  capacity: measureCapacity,
  scale: measureScale,
};

const chosen = process.env['ONLY']?.split(',') ?? Object.keys(PARTS);
const unknown = chosen.filter((name) => !(name in PARTS));
if (unknown.length > 0)
  throw new Error(`ONLY: there is no ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);

assetFolder('control_plane'); // may build for minutes, and prints its progress
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Installation.stop().finally(() => process.exit(130)));
}
const figures: Figure[] = [];
try {
  await Installation.clear();
  for (const name of chosen) {
    const measured = (await PARTS[name]?.()) ?? [];
    console.error(table(measured));
    figures.push(...measured);
  }
} finally {
  await Installation.stop();
}
console.log(`\n${machine()}\n\n${table(figures)}`);
process.exitCode = figures.every(({ holds }) => holds) ? 0 : 1;
