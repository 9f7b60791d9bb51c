import type { KubeObject, Resource } from './object.ts';

/** Who serves behind a Service. */
export const endpointSlices: Resource = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
};

/** The fields of an EndpointSlice that tell which Pods serve. */
export interface EndpointSlice extends KubeObject {
  /** Null where the Service has none. */
  readonly endpoints?:
    | readonly {
        readonly conditions?: { readonly ready?: boolean };
        readonly targetRef?: { readonly kind?: string; readonly name?: string };
      }[]
    | null;
}

/** The names of the Pods that serve; one whose readiness nobody states does. */
export function servingPods(slices: readonly EndpointSlice[]): readonly string[] {
  return slices
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ targetRef }) => targetRef?.name ?? []);
}
