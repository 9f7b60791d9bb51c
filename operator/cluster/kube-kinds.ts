/** The kinds of objects that the operator reads and writes, and the names of those that the installation brings. */

import type { KubeObject, Resource } from '../../kube/object.ts';

const TOLLGATE = 'tollgate.dev/v1alpha1';

/** Compiled, with the budgets, into the policy that gateways enforce. */
export const workspaces: Resource = { apiVersion: TOLLGATE, kind: 'ClaudeWorkspace', plural: 'claudeworkspaces' };
/** Compiled with the workspaces. */
export const budgets: Resource = { apiVersion: TOLLGATE, kind: 'ClaudeBudget', plural: 'claudebudgets' };
/** Spanning budgets select by their labels. */
export const namespaces: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };
/** Callers' keys, upstream keys, and the shards of credentials. */
export const secrets: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };
/** The shards of policy, the checkpoint of the ledger and the administrator's price book. */
export const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };

/** The fields of a Secret that the operator reads and writes. */
export interface Secret extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

/** The fields of a ConfigMap that the operator reads and writes. */
export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** The type of Secrets that hold an upstream key; no other Secret is read for one. */
export const UPSTREAM_KEY_TYPE = 'tollgate.dev/upstream-key';
/** The type of Secrets that the operator makes for callers. */
export const CALLER_KEY_TYPE = 'tollgate.dev/key';

/** The Service whose endpoints are the gateways. */
export const GATEWAY_SERVICE = 'tollgate-gateway';
/** The ConfigMap with the checkpoint of the ledger. */
export const LEDGER_CHECKPOINT = 'tollgate-ledger';
/** The ConfigMap with the administrator's own price book; optional. */
export const PRICES = 'tollgate-prices';
/** The Lease of the leader election: only its holder writes. */
export const LEASE = 'tollgate-operator';
/** The operator's field manager in server-side apply. */
export const FIELD_MANAGER = 'tollgate-operator';
