import { parseArgs } from 'node:util';
import { Callers } from './callers.ts';

// The load of the end-to-end tests, as a process of a Pod: ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY come from the Secret
// that Tollgate made. It ends after `--seconds`, or when it is asked to, lets what is under way come to its end, and
// prints a line of JSON (a Tally) each second and one at the end.

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '100' },
    callers: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '300' },
  },
});

const callers = new Callers({ streams: Number(values.streams), callers: Number(values.callers) });
const print = (): void => console.log(JSON.stringify(callers.tally));
const telling = setInterval(print, 1_000);
const asked = new Promise<void>((resolve) => {
  process.once('SIGTERM', resolve);
  process.once('SIGINT', resolve);
  setTimeout(resolve, Number(values.seconds) * 1_000).unref();
});
await asked;
await callers.stop();
clearInterval(telling);
callers.tally.ended = true;
print();
