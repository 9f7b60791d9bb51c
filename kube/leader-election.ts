import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from './client.ts';
import { isKubeError } from './kube-error.ts';
import type { KubeObject, ObjectRef, Resource } from './object.ts';
import { microTime } from './time.ts';

interface LeaseOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly lease: ObjectRef;
  /** Unique to this process. */
  readonly identity: string;
  /** Milliseconds since the epoch; written for people to read, never compared with another machine's. */
  readonly clock: () => number;
  readonly random: () => number;
  readonly timing?: LeaseTiming;
  /** This process has become the leader. */
  readonly onElected: () => void;
  /** The lease is another's, or could not be renewed in time, so that another may lead by now. It stays a candidate. */
  readonly onLost: () => void;
  readonly onProblem?: (error: unknown) => void;
}

/** Milliseconds. `renewMs` must be well below `durationMs`, so that the old leader stops before a new one starts. */
interface LeaseTiming {
  readonly durationMs: number;
  readonly renewMs: number;
  /** How often the leader renews. */
  readonly retryMs: number;
  /** How often the others look whether it has given the lease back. */
  readonly lookMs: number;
}

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

const leases: Resource = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' };
const DEFAULT: LeaseTiming = { durationMs: 15_000, renewMs: 10_000, retryMs: 2_000, lookMs: 1_000 };

/**
 * Leader election on a Lease. A lease has expired when *we* have seen it unchanged for its whole duration by our own
 * monotonic clock; the times in it come from other machines and decide nothing.
 */
export class LeaderElection {
  readonly #options: LeaseOptions;
  readonly #timing: LeaseTiming;
  readonly #stop = new AbortController();
  #seen = { version: '', at: 0 };
  #leads = false;
  #renewed = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#timing = options.timing ?? DEFAULT;
  }

  /** Ask before each act. False as soon as the renewal is overdue, even where this process slept through it. */
  get leads(): boolean {
    return this.#leads && performance.now() - this.#renewed < this.#timing.renewMs;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Gives the lease back where it is ours, so that another one leads at once. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (!this.#leads) return;
    this.#leads = false;
    await this.#release().catch((error: unknown) => this.#options.onProblem?.(error));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const asked = performance.now();
      this.#turn(await this.#acquire(), asked);
      const { retryMs, lookMs } = this.#timing;
      const wait = (this.#leads ? retryMs : lookMs) * (1 + 0.2 * this.#options.random());
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Who did not lead for a moment has left work undone: it leads anew, even where the lease never was another's. */
  #turn(held: boolean | undefined, asked: number): void {
    if (this.#leads && (held === false || !this.leads)) {
      this.#leads = false;
      this.#options.onLost();
    }
    if (!held || performance.now() - asked >= this.#timing.renewMs) return;
    this.#renewed = asked;
    if (this.#leads) return;
    this.#leads = true;
    this.#options.onElected();
  }

  /** True: ours. False: another's. Undefined: the server did not say. */
  async #acquire(): Promise<boolean | undefined> {
    const answer = this.#try().catch((error: unknown) => {
      if (isKubeError(error, 'Conflict')) return undefined; // somebody wrote in between; the next look tells who
      this.#options.onProblem?.(error);
      return undefined;
    });
    // A call that hangs must not keep a leader believing past its deadline.
    const deadline = sleep(this.#timing.renewMs / 2, undefined, { ref: false });
    return Promise.race([answer, deadline]);
  }

  async #try(): Promise<boolean> {
    const { client, lease, identity } = this.#options;
    const found = await client.get<Lease>(leases, lease).catch((error: unknown) => {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    });
    if (!found) {
      await client.create<Lease>(leases, { metadata: lease, spec: this.#spec({}) });
      return true;
    }
    if (found.spec?.holderIdentity !== identity && !this.#hasExpired(found)) return false;
    await client.replace<Lease>(leases, { ...found, spec: this.#spec(found.spec ?? {}) });
    return true;
  }

  #hasExpired({ metadata, spec }: Lease): boolean {
    if (!spec?.holderIdentity) return true;
    const version = metadata.resourceVersion ?? '';
    if (version !== this.#seen.version) this.#seen = { version, at: performance.now() };
    return performance.now() - this.#seen.at > (spec.leaseDurationSeconds ?? 0) * 1000;
  }

  #spec(before: NonNullable<Lease['spec']>): NonNullable<Lease['spec']> {
    const { identity, clock } = this.#options;
    const now = microTime(clock());
    const ours = before.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#timing.durationMs / 1000),
      acquireTime: (ours && before.acquireTime) || now,
      renewTime: now,
      leaseTransitions: (before.leaseTransitions ?? 0) + (ours ? 0 : 1),
    };
  }

  async #release(): Promise<void> {
    const { client, lease, identity } = this.#options;
    const found = await client.get<Lease>(leases, lease);
    if (found.spec?.holderIdentity !== identity) return;
    await client.replace<Lease>(leases, { ...found, spec: { ...found.spec, holderIdentity: null } });
  }
}
