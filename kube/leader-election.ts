import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from './client.ts';
import { type Lease, leases, microTime } from './kinds.ts';
import { isKubeError } from './kube-error.ts';
import type { ObjectRef } from './object.ts';

interface LeaseOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly lease: ObjectRef;
  /** Unique to this process. */
  readonly identity: string;
  /** Milliseconds since the epoch; written for people and never compared with the time of another machine. */
  readonly clock: () => number;
  readonly random: () => number;
  readonly timing?: typeof DEFAULT;
  readonly onProblem?: (error: unknown) => void;
}

interface LeadershipHandlers {
  readonly onElected: () => void;
  /** Another process holds the lease, or may hold it since it was not renewed in time. This one stays a candidate. */
  readonly onLost: () => void;
}

/** Milliseconds. `renewMs` must be well below `durationMs`, so that the old leader stops before a new one starts. */
const DEFAULT = {
  durationMs: 15_000,
  renewMs: 10_000,
  /** How often the leader renews. */
  retryMs: 2_000,
  /** How often the others check whether the leader has released the lease. */
  lookMs: 1_000,
};

/**
 * Leader election by a Lease. A lease has expired when this process has seen it unchanged for its whole duration by its own
 * monotonic clock; the times in the lease come from other machines and are not used.
 */
export class LeaderElection {
  readonly #options: LeaseOptions;
  readonly #timing: typeof DEFAULT;
  readonly #stop = new AbortController();
  #seen = { version: '', at: 0 };
  #leads = false;
  #renewed = 0;
  #handlers: LeadershipHandlers | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#timing = options.timing ?? DEFAULT;
  }

  /** Check before each action. False once the renewal is overdue, even if this process was suspended meanwhile. */
  get leads(): boolean {
    return this.#leads && performance.now() - this.#renewed < this.#timing.renewMs;
  }

  /** Becomes a candidate; call it once. */
  start(handlers: LeadershipHandlers): void {
    this.#handlers = handlers;
    this.#running = this.#run();
  }

  /** Releases the lease if this process holds it, so that another one leads at once. */
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

  /** A leader whose renewal was late has skipped work: it is told that it lost the lease and was elected again. */
  #turn(held: boolean | undefined, asked: number): void {
    if (this.#leads && (held === false || !this.leads)) {
      this.#leads = false;
      this.#handlers?.onLost();
    }
    if (!held || performance.now() - asked >= this.#timing.renewMs) return;
    this.#renewed = asked;
    if (this.#leads) return;
    this.#leads = true;
    this.#handlers?.onElected();
  }

  /** True: this process holds the lease. False: another one does. Undefined: the API server did not answer. */
  async #acquire(): Promise<boolean | undefined> {
    const answer = this.#try().catch((error: unknown) => {
      if (isKubeError(error, 'Conflict')) return undefined; // another process wrote first; the next attempt shows which
      this.#options.onProblem?.(error);
      return undefined;
    });
    // A call that hangs must not delay the leader's own check of its deadline.
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
