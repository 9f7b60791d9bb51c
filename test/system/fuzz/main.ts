import { machine, ms } from '../../../bench/figures.ts';
import { fuzz } from './fuzz.ts';
import { TARGETS } from './targets.ts';

// `make fuzz [SECONDS] [SEED]`: random input for everything that reads from outside, the time divided among the targets.
// Exits with a status other than 0 if an input failed, and prints the smallest one with its seed.

const [seconds = '600', seed = '1'] = process.argv.slice(2);

console.log(machine());
for (const target of TARGETS) {
  const milliseconds = (Number(seconds) * 1_000) / TARGETS.length;
  const { runs, longestMs, failure } = await fuzz(target, Number(seed), { milliseconds });
  console.log(`${target.name}: ${runs} inputs, ${ms(longestMs)} for one at most`);
  if (failure === null) continue;
  console.log(failure);
  process.exitCode = 1;
}
