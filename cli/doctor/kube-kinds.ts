/** The objects of an installation that the doctor looks at, and as much of them as it reads. */

import type { KubeObject, Resource } from '../../kube/object.ts';

const TOLLGATE = 'tollgate.dev/v1alpha1';

/** Whose keys, who may call. */
export const workspaces: Resource = { apiVersion: TOLLGATE, kind: 'ClaudeWorkspace', plural: 'claudeworkspaces' };
/** How much may be spent. */
export const budgets: Resource = { apiVersion: TOLLGATE, kind: 'ClaudeBudget', plural: 'claudebudgets' };
/** Settings, shards of policy and the memory of the ledger. */
export const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
/** Shards of credentials and the gateway's certificate. */
export const secrets: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };
/** Operators and gateways. */
export const pods: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };
/** Which operator leads. */
export const leases: Resource = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' };
/** Asks what an account may do. */
export const accessReviews: Resource = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
};

/** Of a ConfigMap, or a Secret, whose values are base64. */
export interface Holder extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** Of a Pod. */
export interface Pod extends KubeObject {
  readonly spec?: {
    readonly volumes?: readonly { readonly name: string; readonly secret?: { readonly secretName?: string } }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly {
      readonly image: string;
      readonly restartCount: number;
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

/** Of a Lease. */
export interface Lease extends KubeObject {
  readonly spec?: { readonly holderIdentity?: string | null; readonly renewTime?: string };
}

/** Of an answered SubjectAccessReview. */
export interface AccessReview extends KubeObject {
  readonly spec: object;
  readonly status?: { readonly allowed?: boolean };
}
