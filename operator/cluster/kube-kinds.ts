/** The kinds of objects that the operator reads and writes, and the names of those that the installation brings. */

import type { KubeObject, Resource } from '../../kube/object.ts';

const TOLLGATE = 'tollgate.dev/v1alpha1';

/** Compiled, with the budgets, into the policy that gateways enforce. */
export const workspaces: Resource = { apiVersion: TOLLGATE, kind: 'ClaudeWorkspace', plural: 'claudeworkspaces' };
/** Compiled with the workspaces. */
export const budgets: Resource = { apiVersion: TOLLGATE, kind: 'ClaudeBudget', plural: 'claudebudgets' };
/** Their labels are what spanning budgets select by. */
export const namespaces: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };
/** Callers' keys, upstream keys, and the shards of credentials. */
export const secrets: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };
/** The shards of policy, the memory of the ledger and the administrator's prices. */
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

/** The type of a Secret whose value is sent upstream; no other is read. */
export const UPSTREAM_KEY_TYPE = 'tollgate.dev/upstream-key';
/** The type of a Secret that the operator makes for callers. */
export const CALLER_KEY_TYPE = 'tollgate.dev/key';

/** The Service whose endpoints are the gateway's replicas. */
export const GATEWAY_SERVICE = 'tollgate-gateway';
/** The ConfigMap in which the operator remembers the ledger. */
export const LEDGER_CHECKPOINT = 'tollgate-ledger';
/** The ConfigMap with the administrator's own price book. It need not exist. */
export const PRICES = 'tollgate-prices';
/** The Lease whose holder is the one operator that writes. */
export const LEASE = 'tollgate-operator';
/** Whose fields the operator's are in server-side apply, and who tells its events. */
export const FIELD_MANAGER = 'tollgate-operator';
