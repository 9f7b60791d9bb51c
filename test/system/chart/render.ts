import { parseAllDocuments } from 'yaml';
import { chart, helm } from '../../../hack/generate/helm.ts';

/** What tests read of an object that the chart makes. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
  // What follows is as deep as Kubernetes' own types; a test names the fields that it looks at.
  readonly spec?: unknown;
  readonly rules?: unknown;
}

/** The part of a Pod's spec that tests look at. */
export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [Container];
  readonly volumes: readonly { readonly name: string }[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

/** The values of each way to install that differs in what is made. */
export const variants: Readonly<Record<string, object>> = {
  'as it comes': {},
  'with calls that go on without Redis': { settings: { ledgerLoss: 'Open', shards: 2 } },
  'with Redis, Postgres and certificates of others': {
    redis: {
      bundled: false,
      external: { urlSecret: { name: 'our-redis' }, caSecret: { name: 'our-ca' }, ports: [6380, 26379] },
    },
    postgres: { bundled: false, external: { urlSecret: { name: 'our-postgres' }, caSecret: { name: 'our-ca' } } },
    gateway: { tls: { secretName: 'gateway-tls' } },
    proxy: { urlSecret: { name: 'our-proxy' }, ports: [8080] },
    caBundle: { configMapName: 'our-cas' },
    imagePullSecrets: ['registry'],
  },
  'for trying it out': {
    usageLogFolder: { enabled: true },
    postgres: { bundled: false },
    networkPolicies: { enabled: false },
    crds: { keep: false },
    operator: { podDisruptionBudget: { enabled: false } },
    gateway: { replicas: 1, podDisruptionBudget: { enabled: false } },
  },
  'for callers outside, scaled and watched': {
    commonLabels: { team: 'platform' },
    gateway: {
      autoscaling: { enabled: true, maxReplicas: 20 },
      ingress: {
        enabled: true,
        className: 'nginx',
        host: 'claude.example.com',
        tlsSecretName: 'claude-tls',
        annotations: { 'nginx.ingress.kubernetes.io/proxy-buffering': 'off' },
      },
      httpRoute: {
        enabled: true,
        parentRefs: [{ name: 'edge', namespace: 'edge' }],
        hostnames: ['claude.example.com'],
      },
      service: { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'] },
      podAnnotations: { note: 'a' },
      extraEnv: [{ name: 'NODE_OPTIONS', value: '--use-system-ca' }],
      extraVolumes: [{ name: 'extra', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'extra', mountPath: '/extra' }],
      tolerations: [{ key: 'edge', operator: 'Exists' }],
      nodeSelector: { pool: 'edge' },
      priorityClassName: 'high',
    },
    metrics: {
      tokenSecret: { name: 'metrics-token' },
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
      rules: { enabled: true, labels: { release: 'prometheus' } },
      dashboard: { enabled: true, annotations: { grafana_folder: 'Costs' } },
    },
    networkPolicies: {
      callers: [{ namespaceSelector: { matchLabels: { claude: 'yes' } } }],
      metrics: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      egress: [{ ports: [{ port: 3128 }] }],
    },
    otlp: {
      endpoint: 'http://collector.observability.svc:4318',
      headersSecret: { name: 'otlp' },
      resourceAttributes: 'deployment.environment.name=test',
    },
  },
};

/** The manifests of the chart with some values, as text. @throws Error with what helm said. */
export function manifests(values: object = {}, namespace = 'tollgate-system'): string {
  return helm(['template', 'tollgate', chart, '--namespace', namespace, '--values', '-'], JSON.stringify(values));
}

/** What the chart makes with some values. @throws Error with what helm said. */
export function render(values: object = {}): readonly Resource[] {
  return parseAllDocuments(manifests(values)).flatMap((document) => (document.toJS() as Resource | null) ?? []);
}

/** The one object of a kind and name. @throws Error where there is none. */
export function find(resources: readonly Resource[], kind: string, name: string): Resource {
  const found = resources.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

/** The Pods of a Deployment or StatefulSet, or a Pod itself. */
export function podSpec({ kind, spec }: Resource): PodSpec {
  return (kind === 'Pod' ? spec : (spec as { template: { spec: unknown } }).template.spec) as PodSpec;
}

/** The environment of a Pod's container; what comes from elsewhere as JSON. */
export function environment(resource: Resource): Readonly<Record<string, string>> {
  const { env } = podSpec(resource).containers[0];
  return Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, value ?? JSON.stringify(valueFrom)]));
}
