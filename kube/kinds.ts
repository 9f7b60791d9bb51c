/** The built-in kinds that more than one entry uses, and the fields that they read. */

import type { KubeObject, Resource } from './object.ts';

export const namespaces: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };
export const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
export const secrets: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };
export const leases: Resource = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' };
/** The endpoints of Services. */
export const endpointSlices: Resource = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
};

type Data = Readonly<Record<string, string>>;

export interface ConfigMap extends KubeObject {
  readonly data?: Data;
}

export interface Secret extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Data;
  readonly immutable?: boolean;
}

export function encodeSecretData(texts: Data): Data {
  return mapValues(texts, (text) => Buffer.from(text).toString('base64'));
}

/** Decodes the `data` of a Secret, as UTF-8. */
export function decodeSecretData(data: Data): Data {
  return mapValues(data, (value) => Buffer.from(value, 'base64').toString());
}

function mapValues(data: Data, map: (value: string) => string): Data {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, map(value)]));
}

export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** The only form of a time that Leases and Events take: RFC 3339 with microseconds. `ms` since the epoch. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

export interface EndpointSlice extends KubeObject {
  /** Null if the Service has none. */
  readonly endpoints?:
    | readonly {
        readonly conditions?: { readonly ready?: boolean };
        readonly targetRef?: { readonly kind?: string; readonly name?: string };
      }[]
    | null;
  readonly ports?: readonly { readonly port?: number }[] | null;
}

/** The names of the ready Pods; a Pod without the condition `ready` counts as ready, as the API says. */
export function servingPods(slices: readonly EndpointSlice[]): readonly string[] {
  return slices
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ targetRef }) => targetRef?.name ?? []);
}
