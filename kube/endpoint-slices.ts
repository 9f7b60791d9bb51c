import type { KubeObject, Resource } from './object.ts';

/** The endpoints of a Service. */
export const endpointSlices: Resource = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
};

/** The fields of an EndpointSlice that say which Pods are ready. */
export interface EndpointSlice extends KubeObject {
  /** Null if the Service has none. */
  readonly endpoints?:
    | readonly {
        readonly conditions?: { readonly ready?: boolean };
        readonly targetRef?: { readonly kind?: string; readonly name?: string };
      }[]
    | null;
}

/** The names of the ready Pods; a Pod without the condition `ready` counts as ready, as the API says. */
export function servingPods(slices: readonly EndpointSlice[]): readonly string[] {
  return slices
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ targetRef }) => targetRef?.name ?? []);
}
