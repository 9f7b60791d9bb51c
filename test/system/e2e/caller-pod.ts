import { kubectl } from '../../../hack/cluster/node.ts';
import { until } from '../../support/until.ts';
import { podOf } from './pods.ts';
import { type Tally, emptyTally } from './tally.ts';
import type { Team } from './team.ts';

/** The Pod ends by itself after this time. */
const LONGEST_S = 900;
/** How long the expected may take on a busy machine. Milliseconds. */
const TIMEOUT_MS = 240_000;
/** Pause between two looks at its log, which has a line a second. Milliseconds. */
const PAUSE_MS = 300;

/** A Pod in a team's namespace whose callers call the Service without pause. */
export class CallerPod {
  readonly #team: Team;
  readonly #name: string;

  private constructor(team: Team, name: string) {
    this.#team = team;
    this.#name = name;
  }

  /** Starts it, and returns when nearly `streams` streams are open at once. */
  static async start(team: Team, { name = 'crowd', streams = 100, callers = 6 } = {}): Promise<CallerPod> {
    const crowd = new CallerPod(team, name);
    const args = ['test/system/e2e/load.ts', `--streams=${streams}`, `--callers=${callers}`, `--seconds=${LONGEST_S}`];
    const pod = podOf({ namespace: team.namespace, name, args, secret: 'app-claude' });
    await kubectl(['apply', '-f', '-'], { input: pod });
    await crowd.#until(({ open, answered }) => open >= 0.9 * streams && answered > 0);
    return crowd;
  }

  /** The outcomes of its calls so far. */
  async tally(): Promise<Tally> {
    const line = await kubectl(['logs', '--tail=1', this.#name, '-n', this.#team.namespace]);
    return line === '' ? emptyTally() : (JSON.parse(line) as Tally);
  }

  /** Waits until `count` more calls were answered. */
  answered(count: number): Promise<void> {
    return this.#more('answered', count);
  }

  /** Waits until `count` more calls were refused because the budget is spent. */
  refused(count: number): Promise<void> {
    return this.#more('refused', count);
  }

  /** Starts no more calls, and returns when those in flight have ended. */
  async stop(): Promise<Tally> {
    const pod = [this.#name, '-n', this.#team.namespace];
    await kubectl(['exec', ...pod, '--', 'node', '-e', 'process.kill(1)']);
    const tally = await this.#until(({ ended }) => ended);
    await kubectl(['delete', 'pod', ...pod]);
    return tally;
  }

  async #more(what: 'answered' | 'refused', count: number): Promise<void> {
    const before = await this.tally();
    await this.#until((tally) => tally[what] >= before[what] + count);
  }

  #until(holds: (tally: Tally) => boolean): Promise<Tally> {
    const look = async () => {
      const tally = await this.tally();
      return holds(tally) && tally;
    };
    return until(look, TIMEOUT_MS, PAUSE_MS);
  }
}
