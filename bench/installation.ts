import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClaudeBudget } from '../crds/types.gen.ts';
import { type System, type SystemOptions, startSystem, stopSystem } from '../hack/run/system.ts';
import { kubectl } from '../hack/services/kubectl.ts';
import type { Statement } from '../test/fakes/upstream/books.ts';

const DIRECTORY = join(import.meta.dirname, '../.run/bench');

/** A team: a namespace with a workspace and one key. */
export interface Team {
  namespace: string;
  /** The key that the gateway shows to the upstream, by which the stand-in bills it. */
  upstreamKey: string;
  /** The key that its programs show to the gateway. */
  apiKey: string;
}

/** The real system in a directory of its own, for benchmarks and tests. */
export class Installation {
  readonly #system: System;
  readonly #directory: string;

  private constructor(system: System, directory: string) {
    this.#system = system;
    this.#directory = directory;
  }

  /** Starts it with that many gateways; what runs already is kept. */
  static async start(replicas: number, options: Partial<SystemOptions> = {}): Promise<Installation> {
    const { directory = DIRECTORY } = options;
    mkdirSync(directory, { recursive: true });
    const system = await startSystem({ replicas, upstream: undefined, anyPorts: true, ...options, directory });
    return new Installation(system, directory);
  }

  /** Removes what an earlier run left behind, running or not. */
  static async clear(directory = DIRECTORY): Promise<void> {
    await stopSystem(directory);
    rmSync(directory, { recursive: true, force: true });
  }

  /** Stops what {@link Installation.start} started. */
  static async stop(directory = DIRECTORY): Promise<void> {
    await stopSystem(directory);
  }

  get gateways(): readonly string[] {
    return this.#system.gatewayUrls;
  }

  get operators(): readonly string[] {
    return this.#system.operatorUrls;
  }

  get upstream(): string {
    return this.#system.upstreamUrl;
  }

  /** With the password in it: never print it. */
  get redisUrl(): string {
    return this.#system.redisUrl;
  }

  /** Starts one of its processes that was killed, and does not wait for it. */
  revive(name: string): Promise<void> {
    return this.#system.revive(name);
  }

  get kubeconfig(): string {
    return this.#system.kubeconfig;
  }

  kubectl(...args: string[]): Promise<string> {
    return kubectl(this.#system.kubeconfig, args);
  }

  /** Applies YAML documents. */
  async apply(yaml: string): Promise<void> {
    await kubectl(this.#system.kubeconfig, ['apply', '--server-side', '--force-conflicts', '-f', '-'], yaml);
  }

  /** Creates a namespace with a workspace `app` and one key, applies its budgets, and waits until all are enforced. */
  async team(namespace: string, budgets: string): Promise<Team> {
    const upstreamKey = `sk-ant-bench-${namespace}`;
    await this.apply(`${workspace(namespace, upstreamKey, this.upstream)}\n---\n${budgets}`);
    await this.programmed(namespace);
    const encoded = await this.kubectl(
      'get',
      'secret',
      'app-claude',
      '-n',
      namespace,
      '-o',
      'jsonpath={.data.ANTHROPIC_API_KEY}',
    );
    return { namespace, upstreamKey, apiKey: Buffer.from(encoded, 'base64').toString() };
  }

  /** Waits until every gateway enforces every budget of a team. */
  async programmed(namespace: string): Promise<void> {
    const budgets = ['claudebudgets', '-A', '-l', `bench=${namespace}`];
    await this.kubectl('wait', '--for=condition=Programmed', '--timeout=30s', ...budgets);
  }

  /** Removes a team, with its budgets in the installation's namespace. */
  async dismiss(team: Team): Promise<void> {
    await this.kubectl('delete', 'claudebudgets', '-n', 'tollgate-system', '-l', `bench=${team.namespace}`);
    await this.kubectl('delete', 'namespace', team.namespace, '--wait=false');
  }

  async budget(namespace: string, name: string): Promise<ClaudeBudget> {
    return JSON.parse(await this.kubectl('get', 'claudebudget', name, '-n', namespace, '-o', 'json')) as ClaudeBudget;
  }

  async books(): Promise<Statement> {
    return (await (await fetch(`${this.upstream}/books`)).json()) as Statement;
  }

  /** What the upstream charged for a team. */
  async owed(team: Team): Promise<{ calls: number; nano: bigint }> {
    const account = (await this.books()).keys[team.upstreamKey];
    return { calls: account?.calls ?? 0, nano: BigInt(account?.nanoUsd ?? 0) };
  }

  /** Continues the streams that the stand-in holds. */
  async release(): Promise<void> {
    await fetch(`${this.upstream}/release`, { method: 'POST' });
  }

  /** What one of its processes has written to its log. */
  log(name: string): string {
    return readFileSync(join(this.#directory, 'logs', `${name}.log`), 'utf8');
  }

  /** The pid of one of its processes. */
  pid(name: string): number {
    const registry = JSON.parse(readFileSync(join(this.#directory, 'processes.json'), 'utf8')) as {
      entries: Record<string, { pid: number }>;
    };
    const entry = registry.entries[name];
    if (entry === undefined) throw new Error(`${name} does not run`);
    return entry.pid;
  }
}

/** Asks every 50 ms until the answer is true. @returns milliseconds, or undefined if that took longer than `withinMs` */
export async function waitFor(
  holds: () => Promise<boolean>,
  withinMs: number,
  since = performance.now(),
): Promise<number | undefined> {
  for (;;) {
    if (await holds()) return performance.now() - since;
    if (performance.now() - since > withinMs) return undefined;
    await sleep(50);
  }
}

/** The YAML of a budget of a team. `spec` is what follows `spec:`, as a flow mapping without braces. */
export function budget(namespace: string, name: string, spec: string): string {
  return `---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeBudget
metadata: { name: ${name}, namespace: ${namespace}, labels: { bench: ${namespace} } }
spec: { workspaceRef: { name: app }, ${spec}, period: { every: Year, timeZone: UTC } }
`;
}

/** The YAML of a budget over the whole team and `others`, in the installation's namespace. */
export function spanning(namespace: string, name: string, spec: string, others: readonly string[] = []): string {
  return `---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeBudget
metadata: { name: ${name}, namespace: tollgate-system, labels: { bench: ${namespace} } }
spec:
  namespaceSelector: { matchExpressions: [{ key: bench, operator: In, values: [${[namespace, ...others].join(', ')}] }] }
  ${spec}
  period: { every: Year, timeZone: UTC }
`;
}

function workspace(namespace: string, upstreamKey: string, upstream: string): string {
  return `
apiVersion: v1
kind: Namespace
metadata: { name: ${namespace}, labels: { bench: ${namespace} } }
---
apiVersion: v1
kind: Secret
metadata: { name: anthropic, namespace: ${namespace} }
type: tollgate.dev/upstream-key
stringData: { api-key: ${upstreamKey} }
---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeWorkspace
metadata: { name: app, namespace: ${namespace} }
spec:
  upstream: { baseURL: '${upstream}', apiKeySecretRef: { name: anthropic } }
  keys: [{ name: app, secretName: app-claude }]
  headers: { feature: x-tollgate-feature, customer: x-tollgate-customer, user: x-tollgate-user }
`;
}
