import { randomBytes } from 'node:crypto';
import type { ClaudeBudget } from '../../../crds/types.gen.ts';
import { kubectl } from '../../../hack/cluster/node.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { until } from '../../support/until.ts';
import { yamlOf } from './pods.ts';
import { UPSTREAM, books } from './stand-in.ts';

const API = 'tollgate.dev/v1alpha1';

/** What is known of a team's spend. Nano-dollars. */
export interface Spend {
  readonly spentNano: bigint;
  readonly reservedNano: bigint;
  readonly presumedNano: bigint;
  readonly requests: number;
}

/** A namespace with a workspace `app`, its key in the Secret `app-claude`, and a budget `cap`. */
export class Team {
  readonly namespace: string;

  private constructor(namespace: string) {
    this.namespace = namespace;
  }

  /** A team that the upstream has never heard of, with `usd` to spend. */
  static async create(name: string, usd: string): Promise<Team> {
    const team = new Team(`${name}-${randomBytes(3).toString('hex')}`);
    await team.apply(usd);
    return team;
  }

  /** Applies it all, as a tenant would, and waits until every gateway enforces it. */
  async apply(usd: string): Promise<void> {
    await kubectl(['apply', '-f', '-'], { input: this.#yaml() });
    await this.limit(usd);
    await kubectl(['wait', '--for=create', '--timeout=60s', '-n', this.namespace, 'secret/app-claude']);
  }

  /** Sets what may be spent, and waits until every gateway enforces it. */
  async limit(usd: string): Promise<void> {
    await kubectl(['apply', '-f', '-'], { input: this.#budget(usd) });
    const { generation = 0 } = (await this.budget()).metadata;
    await until(async () => programmed(await this.budget()) >= generation, 120_000);
  }

  async budget(): Promise<ClaudeBudget> {
    return JSON.parse(
      await kubectl(['get', 'claudebudget', 'cap', '-n', this.namespace, '-o', 'json']),
    ) as ClaudeBudget;
  }

  /** What `kubectl get` shows. */
  async spend(): Promise<Spend> {
    const { status } = await this.budget();
    return {
      spentNano: parseUsd(status?.spentUsd ?? '0'),
      reservedNano: parseUsd(status?.reservedUsd ?? '0'),
      presumedNano: parseUsd(status?.presumedUsd ?? '0'),
      requests: status?.requests ?? 0,
    };
  }

  /** What the upstream charged for it, and how many calls, by its own books. */
  async owed(): Promise<{ nano: bigint; calls: number; aborted: number }> {
    const account = (await books()).keys[this.#upstreamKey];
    return { nano: BigInt(account?.nanoUsd ?? 0), calls: account?.calls ?? 0, aborted: account?.aborted ?? 0 };
  }

  /** Removes it with everything in it. */
  async dismiss(): Promise<void> {
    await kubectl(['delete', 'namespace', this.namespace, '--wait=false', '--ignore-not-found']);
  }

  get #upstreamKey(): string {
    return `sk-ant-e2e-${this.namespace}`;
  }

  #yaml(): string {
    const { namespace } = this;
    return [
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'anthropic', namespace },
        type: 'tollgate.dev/upstream-key',
        stringData: { 'api-key': this.#upstreamKey },
      },
      {
        apiVersion: API,
        kind: 'ClaudeWorkspace',
        metadata: { name: 'app', namespace },
        spec: {
          upstream: { baseURL: UPSTREAM, apiKeySecretRef: { name: 'anthropic' } },
          keys: [{ name: 'app', secretName: 'app-claude' }],
        },
      },
    ]
      .map(yamlOf)
      .join('');
  }

  #budget(usd: string): string {
    return yamlOf({
      apiVersion: API,
      kind: 'ClaudeBudget',
      metadata: { name: 'cap', namespace: this.namespace },
      spec: { workspaceRef: { name: 'app' }, limit: { usd }, period: { every: 'Year', timeZone: 'UTC' } },
    });
  }
}

/** The generation that every gateway enforces; -1 for none. */
function programmed({ status }: ClaudeBudget): number {
  const condition = status?.conditions?.find(({ type }) => type === 'Programmed');
  return condition?.status === 'True' ? (condition.observedGeneration ?? -1) : -1;
}
