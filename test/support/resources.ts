import { budgets, workspaces } from '../../crds/kinds.gen.ts';
import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import { type Secret, secrets } from '../../kube/kinds.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import { hash, type Installation, Shards } from '../system/operator/harness.ts';
import { until } from './until.ts';

/** A ClaudeWorkspace in YAML; `spec` is added to it. */
export function workspace(namespace: string, name = 'checkout', spec = ''): string {
  return `
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeWorkspace
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  upstream: { apiKeySecretRef: { name: anthropic } }
${spec}
---`;
}

/** A ClaudeBudget in YAML, of a year, which ends in few tests; without `spec`, of the workspace `checkout`. */
export function budget(
  namespace: string,
  name = 'daily',
  usd = '25.00',
  spec = 'workspaceRef: { name: checkout }',
): string {
  return `
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeBudget
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  ${spec}
  limit: { usd: "${usd}" }
  period: { every: Year }
---`;
}

/** What a person would look at. */
export class Reader {
  readonly shards: Shards;
  readonly #here: Installation;

  constructor(here: Installation) {
    this.#here = here;
    this.shards = new Shards(here);
  }

  budget(namespace: string, name = 'daily'): Promise<ClaudeBudget> {
    return this.#here.client.get<ClaudeBudget>(budgets, { namespace, name });
  }

  workspace(namespace: string, name = 'checkout'): Promise<ClaudeWorkspace> {
    return this.#here.client.get<ClaudeWorkspace>(workspaces, { namespace, name });
  }

  /** Undefined where there is none. */
  async secret(namespace: string, name: string): Promise<Secret | undefined> {
    return this.#here.client.get<Secret>(secrets, { namespace, name }).catch((error: unknown) => {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    });
  }

  /** The key in a Secret, once it is there. */
  async key(namespace: string, name = 'checkout-claude'): Promise<string> {
    return text(await until(() => this.secret(namespace, name)), 'ANTHROPIC_API_KEY');
  }

  /** Whether callers with this key are let in, as far as the shards say. */
  async isKnown(namespace: string, key: string, name = 'checkout'): Promise<boolean> {
    const ref = `${namespace}/${name}`;
    const entry = (await this.shards.keys(ref)).credentials.get(ref);
    return Object.values(entry?.credentials.keys ?? {}).includes(hash(key));
  }

  /** The reasons of all events of a namespace. */
  async events(namespace: string): Promise<string[]> {
    const found = await this.#here.kubectl('get', 'events', '-n', namespace, '-o', 'jsonpath={.items[*].reason}');
    return found.split(' ');
  }

  /** Waits for an event with this reason. */
  async event(namespace: string, reason: string): Promise<void> {
    await until(async () => (await this.events(namespace)).includes(reason));
  }
}

/** `True Ready`, `False SecretNotFound`: of the newest generation, else undefined. */
export function conditionOf({ metadata, status }: ClaudeBudget | ClaudeWorkspace, type: string): string | undefined {
  const found = status?.conditions?.find((one) => one.type === type);
  return found?.observedGeneration === metadata.generation ? `${found!.status} ${found!.reason}` : undefined;
}

/** Waits until a condition of the resource's newest generation is as it should be, and returns the resource. */
export async function condition<T extends ClaudeBudget | ClaudeWorkspace>(
  read: () => Promise<T>,
  type: string,
  wanted: string,
  ms?: number,
): Promise<T> {
  let last: T | undefined;
  const isSo = async () => {
    last = await read();
    return conditionOf(last, type) === wanted ? last : undefined;
  };
  return until(isSo, ms).catch((error: unknown) => {
    throw new Error(`${type} is not ${wanted}: ${JSON.stringify(last?.status?.conditions)}`, { cause: error });
  });
}

/** An entry of a Secret, decoded. */
export function text(secret: Secret | undefined, name: string): string {
  return Buffer.from(secret?.data?.[name] ?? '', 'base64').toString();
}
