import type { ClaudeBudget } from '../crds/types.gen.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject, Resource } from '../kube/object.ts';

export const BUDGETS: Resource = { apiVersion: 'tollgate.dev/v1alpha1', kind: 'ClaudeBudget', plural: 'claudebudgets' };
const WORKSPACES: Resource = { ...BUDGETS, kind: 'ClaudeWorkspace', plural: 'claudeworkspaces' };
const NAMESPACES: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };
const SECRETS: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };

/** Concurrent requests while everything is created. */
const CONNECTIONS = 24;
const WORKSPACES_PER_NAMESPACE = 10;
const LABEL = { bench: 'scale' };

/** A budget for one feature of one workspace. */
export interface FeatureBudget {
  readonly namespace: string;
  readonly workspace: string;
  /** The budget's name, and the feature that it is for. */
  readonly feature: string;
}

/** Many workspaces, each with a key and a budget for each of its features, and one budget that spans all of them. */
export class ManyBudgets {
  readonly #client: KubeClient;
  readonly budgets: readonly FeatureBudget[];

  /** `budgets` includes the spanning one. */
  constructor(client: KubeClient, workspaces: number, budgets: number) {
    this.#client = client;
    this.budgets = Array.from({ length: budgets - 1 }, (_, i) => featureBudget(i, workspaces));
  }

  /** Creates everything, as fast as the API server takes it. */
  async create(upstream: string): Promise<void> {
    const workspaces = new Map(this.budgets.map((budget) => [`${budget.namespace}/${budget.workspace}`, budget]));
    const namespaces = new Set(this.budgets.map(({ namespace }) => namespace));
    await this.#each([...namespaces], (name) => this.#create(NAMESPACES, { metadata: { name, labels: LABEL } }));
    await this.#each([...namespaces], (namespace) => this.#create(SECRETS, upstreamSecret(namespace)));
    await this.#each([...workspaces.values()], (budget) => this.#create(WORKSPACES, workspaceObject(budget, upstream)));
    await this.#create(BUDGETS, organisationBudget());
    await this.#each(this.budgets, (budget) => this.#create(BUDGETS, budgetObject(budget)));
  }

  async #create(resource: Resource, object: KubeObject): Promise<void> {
    await this.#client.create(resource, object);
  }

  async #each<T>(list: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
    const rest = list.values();
    const worker = async (): Promise<void> => {
      for (const each of rest) await work(each);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  }
}

/** Whether every gateway enforces the budget as it is written now. */
export function isProgrammed({ metadata, status }: ClaudeBudget): boolean {
  const found = status?.conditions?.find(({ type }) => type === 'Programmed');
  return found?.status === 'True' && found.observedGeneration === metadata.generation;
}

/** The budget with that number. Consecutive numbers are in different workspaces. */
function featureBudget(i: number, workspaces: number): FeatureBudget {
  const workspace = i % workspaces;
  return {
    namespace: `fleet-${Math.floor(workspace / WORKSPACES_PER_NAMESPACE)}`,
    workspace: `team-${workspace % WORKSPACES_PER_NAMESPACE}`,
    feature: `team-${workspace % WORKSPACES_PER_NAMESPACE}-feature-${Math.floor(i / workspaces)}`,
  };
}

function upstreamSecret(namespace: string): KubeObject & { readonly [field: string]: unknown } {
  const stringData = { 'api-key': `sk-ant-bench-${namespace}` };
  return { metadata: { name: 'anthropic', namespace }, type: 'tollgate.dev/upstream-key', stringData };
}

function workspaceObject(
  { namespace, workspace }: FeatureBudget,
  baseURL: string,
): KubeObject & { readonly spec: unknown } {
  return {
    metadata: { name: workspace, namespace, labels: LABEL },
    spec: {
      upstream: { baseURL, apiKeySecretRef: { name: 'anthropic' } },
      attributes: { department: namespace },
      keys: [{ name: 'app', secretName: `${workspace}-claude` }],
      headers: { feature: 'x-tollgate-feature', customer: 'x-tollgate-customer' },
      models: { allow: ['claude-sonnet-*', 'claude-haiku-*'] },
      guards: { maxRequestUsd: '5.00' },
    },
  };
}

function budgetObject({ namespace, workspace, feature }: FeatureBudget): KubeObject & { readonly spec: unknown } {
  return {
    metadata: { name: feature, namespace, labels: LABEL },
    spec: {
      workspaceRef: { name: workspace },
      scope: { features: [feature] },
      limit: { usd: '250.00', toleranceUsd: '1.00' },
      period: { every: 'Month', timeZone: 'America/New_York' },
    },
  };
}

function organisationBudget(): KubeObject & { readonly spec: unknown } {
  return {
    metadata: { name: 'organisation', namespace: 'tollgate-system', labels: LABEL },
    spec: {
      namespaceSelector: { matchLabels: LABEL },
      limit: { usd: '1000000.00' },
      period: { every: 'Month', timeZone: 'UTC' },
    },
  };
}

/** `namespace/name` of a budget. */
export function keyOf({ namespace, feature }: FeatureBudget): string {
  return `${namespace}/${feature}`;
}
