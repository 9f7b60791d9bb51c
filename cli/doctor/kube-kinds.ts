/** The kinds that only the doctor reads. */

import type { KubeObject, Resource } from '../../kube/object.ts';
import type { LabelSelector } from '../../policy/core/label-selector.ts';

export const pods: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };
export const networkPolicies: Resource = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
};
export const accessReviews: Resource = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
};

export interface Pod extends KubeObject {
  readonly spec?: {
    readonly volumes?: readonly { readonly name: string; readonly secret?: { readonly secretName?: string } }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly {
      readonly image: string;
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

export interface AccessReview extends KubeObject {
  readonly spec: object;
  readonly status?: { readonly allowed?: boolean };
}

export interface NetworkPolicy extends KubeObject {
  readonly spec?: {
    readonly podSelector?: LabelSelector;
    readonly policyTypes?: readonly string[];
    readonly egress?: readonly {
      /** Absent: every port. */
      readonly ports?: readonly {
        /** A name is that of a port of the Pods that the rule leads to. */
        readonly port?: number | string;
        readonly endPort?: number;
        readonly protocol?: string;
      }[];
    }[];
  };
}
