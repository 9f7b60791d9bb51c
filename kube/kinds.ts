/** The built-in kinds that more than one entry uses, and the fields that they read. */

import type { KubeObject, Resource } from './object.ts';

export const namespaces: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };
export const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
export const secrets: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };
export const leases: Resource = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' };

/** A ConfigMap. */
export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** A Secret. */
export interface Secret extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

/** A Lease. */
export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}
