/** What the chart makes of its values. No cluster: `helm template`. */

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { chart } from '../../../hack/generate/helm.ts';
import { parseSettings } from '../../../policy/config/settings.ts';
import { environment, find, manifests, podSpec, render, variants } from './render.ts';

const root = join(import.meta.dirname, '../../..');
const defaults = render();

describe('the settings file', () => {
  const settings = (values: object) =>
    parse(find(render(values), 'ConfigMap', 'tollgate-settings').data!['settings.yaml']!) as object;

  test('says where the installation is and how callers reach it', () => {
    const { namespace, gatewayURL } = parseSettings(settings({}));
    expect(namespace).toBe('tollgate-system');
    expect(gatewayURL).toBe('http://tollgate-gateway.tollgate-system.svc:8080');
  });

  test('has an https URL if the gateway has a certificate, and the URL of the values if they have one', () => {
    const tls = { tls: { secretName: 'tls' }, service: { port: 443 } };
    expect(settings({ gateway: tls })).toMatchObject({
      gatewayURL: 'https://tollgate-gateway.tollgate-system.svc:443',
    });
    const own = settings({ gateway: tls, settings: { gatewayURL: 'https://claude.example.com' } });
    expect(own).toMatchObject({ gatewayURL: 'https://claude.example.com' });
  });

  test('keeps large numbers whole', () => {
    const { usageStreamLimit } = parseSettings(settings({ settings: { usageStreamLimit: 10_000_000 } }));
    expect(usageStreamLimit).toBe(10_000_000);
  });

  test("names the mail server, whose password is the operator's alone", () => {
    const smtp = { host: 'smtp.example.com', from: 'tollgate@example.com', username: 'tollgate', security: 'TLS' };
    const mailing = render({ settings: { smtp }, smtp: { passwordSecret: { name: 'mail' } } });
    const env = (name: string): string => JSON.stringify(find(mailing, 'Deployment', name).spec);
    const password = { name: 'TOLLGATE_SMTP_PASSWORD', valueFrom: { secretKeyRef: { name: 'mail', key: 'password' } } };
    expect(env('tollgate-operator')).toContain(JSON.stringify(password));
    expect(env('tollgate-gateway')).not.toContain('TOLLGATE_SMTP_PASSWORD');
    expect(parseSettings(settings({ settings: { smtp } })).smtp).toEqual({ ...smtp, port: 465 });
  });

  test('replaces the Pods that read it when it changes, and no others', () => {
    const changed = render({ settings: { waitSeconds: 5 } });
    const stamp = (resources: typeof defaults, kind: string, name: string) =>
      (find(resources, kind, name).spec as { template: { metadata: { annotations?: object } } }).template.metadata
        .annotations;
    for (const name of ['tollgate-operator', 'tollgate-gateway'])
      expect(stamp(changed, 'Deployment', name)).not.toEqual(stamp(defaults, 'Deployment', name));
    expect(stamp(changed, 'StatefulSet', 'tollgate-redis')).toEqual(stamp(defaults, 'StatefulSet', 'tollgate-redis'));
  });
});

describe('the kinds', () => {
  const kinds = (values: object) => render(values).filter(({ kind }) => kind === 'CustomResourceDefinition');

  test('are those of crds/, and stay when the chart is uninstalled', () => {
    const made = new Map(kinds({}).map((crd) => [crd.metadata.name, crd]));
    const files = readdirSync(join(root, 'crds')).filter((name) => name.endsWith('.yaml'));
    expect(made.size).toBe(files.length);
    for (const file of files) {
      const { metadata, spec } = parse(readFileSync(join(root, 'crds', file), 'utf8')) as {
        metadata: { name: string };
        spec: object;
      };
      expect(made.get(metadata.name)!.spec).toEqual(spec);
      expect(made.get(metadata.name)!.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
    }
  });

  test('are removed with the chart, or not installed, if the values say so', () => {
    for (const { metadata } of kinds({ crds: { keep: false } })) expect(metadata.annotations).toBeUndefined();
    expect(kinds({ crds: { enabled: false } })).toEqual([]);
  });
});

describe('Redis and Postgres', () => {
  test('are reached with the password of a Secret that is made once', () => {
    const operator = environment(find(defaults, 'Deployment', 'tollgate-operator'));
    expect(operator).toMatchObject({
      REDIS_PASSWORD: '{"secretKeyRef":{"name":"tollgate-redis","key":"password"}}',
      REDIS_URL: 'redis://tollgate-redis:6379/0', // no password in an address, where some of its characters would mean something
      PGPASSWORD: '{"secretKeyRef":{"name":"tollgate-postgres","key":"password"}}',
      TOLLGATE_DATABASE_URL: 'postgres://tollgate@tollgate-postgres:5432/tollgate',
    });
    const password = (resources: typeof defaults) =>
      Buffer.from(find(resources, 'Secret', 'tollgate-redis').data!['password']!, 'base64').toString();
    expect(password(defaults)).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(password(render())).not.toBe(password(defaults));
  });

  test('an existing Secret is used and none is created', () => {
    const resources = render({
      redis: { auth: { existingSecret: 'vault-redis' } },
      postgres: { auth: { existingSecret: 'vault-postgres' } },
    });
    const { REDIS_PASSWORD, PGPASSWORD } = environment(find(resources, 'Deployment', 'tollgate-operator'));
    expect([REDIS_PASSWORD, PGPASSWORD]).toEqual([
      expect.stringContaining('vault-redis'),
      expect.stringContaining('vault-postgres'),
    ]);
    const secrets = resources.filter(({ kind }) => kind === 'Secret').map(({ metadata }) => metadata.name);
    expect(secrets.every((name) => name.startsWith('tollgate-keys-'))).toBe(true);
  });

  test('external ones replace the bundled ones, and their certificates are mounted where they are read', () => {
    const resources = render(variants['with Redis, Postgres and certificates of others']);
    const names = resources.map(({ metadata }) => metadata.name);
    expect(names.filter((name) => /^tollgate-(redis|postgres)/.test(name))).toEqual([]);
    const operator = find(resources, 'Deployment', 'tollgate-operator');
    const { REDIS_URL, REDIS_CA_FILE, TOLLGATE_DATABASE_URL } = environment(operator);
    expect(REDIS_URL).toBe('{"secretKeyRef":{"name":"our-redis","key":"url"}}');
    expect(TOLLGATE_DATABASE_URL).toBe('{"secretKeyRef":{"name":"our-postgres","key":"url"}}');
    const mounts = podSpec(operator).containers[0].volumeMounts.map(({ mountPath }) => mountPath);
    expect(mounts).toContain(REDIS_CA_FILE!.replace('/ca.crt', ''));
    expect(mounts).toContain('/etc/tollgate/postgres-ca');
  });

  test('the log in a folder has one operator, and no Postgres', () => {
    const resources = render(variants['for trying it out']);
    const operator = find(resources, 'Deployment', 'tollgate-operator');
    expect(operator.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(environment(operator)).toMatchObject({ TOLLGATE_USAGE_LOG_FOLDER: '/var/lib/tollgate/log' });
    expect(() => find(resources, 'StatefulSet', 'tollgate-postgres')).toThrow('there is no');
  });

  test('Postgres knows the name of its user for any id, and leaves the user to a cluster that chooses it', () => {
    const under = (podSecurityContext: object) => {
      const resources = render({ podSecurityContext });
      const mounts = podSpec(find(resources, 'StatefulSet', 'tollgate-postgres')).containers[0].volumeMounts;
      const { passwd } = find(resources, 'ConfigMap', 'tollgate-postgres').data!;
      return { passwd, isMounted: mounts.some(({ mountPath }) => mountPath === '/etc/passwd') };
    };
    expect(under({ runAsUser: 1_000_650_000, runAsGroup: 1_000_650_000 })).toEqual({
      passwd: 'postgres:x:1000650000:1000650000::/tmp:/bin/sh\n',
      isMounted: true,
    });
    expect(under({ runAsUser: null, runAsGroup: null, fsGroup: null })).toEqual({ isMounted: false });
  });

  test('a Pod of theirs that cannot start is replaced by the next upgrade or rollback', () => {
    for (const name of ['tollgate-redis', 'tollgate-postgres'])
      expect(find(defaults, 'StatefulSet', name).spec).toMatchObject({ podManagementPolicy: 'Parallel' });
  });

  test('Redis appends each change to a file, never evicts, and has its password on no command line', () => {
    const { data } = find(defaults, 'ConfigMap', 'tollgate-redis');
    expect(data!['redis.conf']).toMatch(/^appendonly yes$/m);
    expect(data!['redis.conf']).toMatch(/^maxmemory-policy noeviction$/m);
    expect(data!['redis.conf']).not.toContain('requirepass');
  });
});

describe('the gateway', () => {
  test('is replaced one by one, and has an hour for its streams', () => {
    const deployment = find(defaults, 'Deployment', 'tollgate-gateway');
    expect(deployment.spec).toMatchObject({
      replicas: 2,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        spec: {
          topologySpreadConstraints: [
            { topologyKey: 'kubernetes.io/hostname' },
            { topologyKey: 'topology.kubernetes.io/zone' },
          ],
        },
      },
    });
    expect(podSpec(deployment).terminationGracePeriodSeconds).toBe(3600);
    expect(find(defaults, 'PodDisruptionBudget', 'tollgate-gateway').spec).toMatchObject({ maxUnavailable: 1 });
  });

  test('under ledgerLoss Open keeps its name, and has a volume for calls that are not settled', () => {
    const resources = render({
      settings: { ledgerLoss: 'Open' },
      gateway: { writeAheadLog: { size: '3Gi', storageClassName: 'fast' }, autoscaling: { enabled: true } },
    });
    const set = find(resources, 'StatefulSet', 'tollgate-gateway');
    expect(set.spec).toMatchObject({
      podManagementPolicy: 'Parallel',
      volumeClaimTemplates: [
        {
          metadata: { name: 'write-ahead-log' },
          spec: { storageClassName: 'fast', resources: { requests: { storage: '3Gi' } } },
        },
      ],
    });
    expect(set.spec).not.toHaveProperty('replicas');
    const { TOLLGATE_WRITE_AHEAD_LOG_FOLDER } = environment(set);
    expect(podSpec(set).containers[0].volumeMounts).toContainEqual({
      name: 'write-ahead-log',
      mountPath: TOLLGATE_WRITE_AHEAD_LOG_FOLDER,
    });
    expect(find(resources, 'HorizontalPodAutoscaler', 'tollgate-gateway').spec).toMatchObject({
      scaleTargetRef: { kind: 'StatefulSet' },
    });
    expect(() => find(resources, 'Deployment', 'tollgate-gateway')).toThrow('there is no');
  });

  test('is scaled by CPU, down by one Pod a minute', () => {
    const resources = render(variants['for callers outside, scaled and watched']);
    expect(find(resources, 'Deployment', 'tollgate-gateway').spec).not.toHaveProperty('replicas');
    const stopped = render({ gateway: { replicas: 0, autoscaling: { enabled: true } } });
    expect(find(stopped, 'Deployment', 'tollgate-gateway').spec).toMatchObject({ replicas: 0 });
    expect(find(resources, 'HorizontalPodAutoscaler', 'tollgate-gateway').spec).toMatchObject({
      minReplicas: 2,
      maxReplicas: 20,
      scaleTargetRef: { kind: 'Deployment' },
      behavior: { scaleDown: { policies: [{ value: 1, periodSeconds: 60 }] } },
    });
  });

  test('is reached from outside through an Ingress or a Gateway', () => {
    const resources = render(variants['for callers outside, scaled and watched']);
    expect(find(resources, 'Ingress', 'tollgate-gateway').spec).toMatchObject({
      ingressClassName: 'nginx',
      tls: [{ hosts: ['claude.example.com'], secretName: 'claude-tls' }],
    });
    const anyHost = render({ gateway: { ingress: { enabled: true, host: '*.example.com' } } });
    expect(find(anyHost, 'Ingress', 'tollgate-gateway').spec).toMatchObject({ rules: [{ host: '*.example.com' }] });
    expect(find(resources, 'HTTPRoute', 'tollgate-gateway').spec).toMatchObject({
      parentRefs: [{ name: 'edge', namespace: 'edge' }],
      rules: [{ backendRefs: [{ name: 'tollgate-gateway', port: 8080 }] }],
    });
  });

  test('reads its certificate from the Secret that the values name', () => {
    const gateway = find(render({ gateway: { tls: { secretName: 'gateway-tls' } } }), 'Deployment', 'tollgate-gateway');
    const { TOLLGATE_TLS_FOLDER } = environment(gateway);
    expect(podSpec(gateway).containers[0].volumeMounts).toContainEqual({
      name: 'tls',
      mountPath: TOLLGATE_TLS_FOLDER,
      readOnly: true,
    });
    expect(podSpec(gateway).volumes).toContainEqual({ name: 'tls', secret: { secretName: 'gateway-tls' } });
  });

  test('does not serve its metrics to callers', () => {
    const { ports } = find(defaults, 'Service', 'tollgate-gateway').spec as {
      ports: readonly { targetPort: string }[];
    };
    expect(ports.map(({ targetPort }) => targetPort)).toEqual(['api']);
  });
});

describe('the NetworkPolicies', () => {
  interface Policy {
    readonly podSelector: { matchLabels: Record<string, string> };
    readonly policyTypes: readonly string[];
    readonly ingress: readonly { from?: readonly { podSelector?: { matchLabels: Record<string, string> } }[] }[];
    readonly egress?: readonly { ports: readonly { port: number | string }[] }[];
  }
  const policy = (resources: typeof defaults, name: string) => find(resources, 'NetworkPolicy', name).spec as Policy;
  const callersOf = (name: string) =>
    policy(defaults, name).ingress.flatMap(({ from = [] }) =>
      from.map((peer) => peer.podSelector!.matchLabels['app.kubernetes.io/component']),
    );
  const ports = (resources: typeof defaults, name: string) =>
    policy(resources, name).egress!.flatMap(({ ports }) => ports.map(({ port }) => port));

  test('let only operators and gateways reach Redis, only operators Postgres, and helm test both; those two reach nothing', () => {
    expect(callersOf('tollgate-redis')).toEqual(['operator', 'gateway', 'test']);
    expect(callersOf('tollgate-postgres')).toEqual(['operator', 'test']);
    for (const name of ['tollgate-redis', 'tollgate-postgres'])
      expect(policy(defaults, name)).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
    for (const name of ['tollgate-redis', 'tollgate-postgres']) expect(policy(defaults, name).egress).toBeUndefined();
  });

  test('select the Pods that there are', () => {
    for (const { metadata, spec } of defaults.filter(({ kind }) => kind === 'NetworkPolicy')) {
      const kind = /redis|postgres/.test(metadata.name) ? 'StatefulSet' : 'Deployment';
      const workload = find(defaults, kind, metadata.name).spec as { template: { metadata: { labels: object } } };
      expect(workload.template.metadata.labels).toMatchObject((spec as Policy).podSelector.matchLabels);
    }
  });

  test('let the gateway to Redis, DNS, the API server and the ports of the upstreams, and not to Postgres', () => {
    expect(ports(defaults, 'tollgate-gateway')).toEqual([53, 53, 443, 6443, 'redis']);
    expect(ports(defaults, 'tollgate-operator')).toEqual([53, 53, 443, 6443, 'redis', 'postgres']);
    const other = render({
      settings: { upstreams: ['api.anthropic.com', 'http://proxy', 'https://relay:8443'] },
      otlp: { endpoint: 'http://otel:4318' },
    });
    expect(ports(other, 'tollgate-gateway')).toEqual([53, 53, 443, 6443, 80, 8443, 4318, 'redis']);
  });

  test.each([
    [{ security: 'TLS' }, 465],
    [{}, 587],
    [{ port: 2525 }, 2525],
  ])('let only the operator to a mail server with %j', (more, port) => {
    const mail = render({ settings: { smtp: { host: 'mail.example.com', from: 'tollgate@example.com', ...more } } });
    expect(ports(mail, 'tollgate-operator')).toContain(port);
    expect(ports(mail, 'tollgate-gateway')).not.toContain(port);
  });

  test('take the ports and peers of the values', () => {
    const external = render(variants['with Redis, Postgres and certificates of others']);
    expect(ports(external, 'tollgate-operator')).toEqual([53, 53, 443, 6443, 8080, 6380, 26379, 5432]);
    const watched = policy(render(variants['for callers outside, scaled and watched']), 'tollgate-gateway');
    const { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': component } = find(
      defaults,
      'Pod',
      'tollgate-test',
    ).metadata.labels!;
    const helmTest = {
      podSelector: { matchLabels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': component } },
    };
    expect(watched.ingress).toEqual([
      {
        ports: [{ port: 'metrics' }],
        from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      },
      { ports: [{ port: 'api' }], from: [{ namespaceSelector: { matchLabels: { claude: 'yes' } } }, helmTest] },
    ]);
  });

  test('let nobody read metrics who is not named', () => {
    const ingress = (name: string) => policy(defaults, name).ingress;
    expect(ingress('tollgate-gateway')).toEqual([{ ports: [{ port: 'api' }] }]);
    expect(ingress('tollgate-operator') ?? []).toEqual([]);
  });
});

test('tenants may edit resources, and not what the operator says of them', () => {
  const rules = ['tollgate-edit', 'tollgate-view'].map((name) => find(defaults, 'ClusterRole', name).rules);
  const kinds = ['claudeworkspaces', 'claudebudgets'];
  const apiGroups = ['tollgate.dev'];
  expect(rules).toEqual([
    [{ apiGroups, resources: kinds, verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] }],
    [{ apiGroups, resources: kinds, verbs: ['get', 'list', 'watch'] }],
  ]);
});

test('helm test starts without the Secrets that it reports as missing', () => {
  const { containers, volumes } = podSpec(
    find(render(variants['with Redis, Postgres and certificates of others']), 'Pod', 'tollgate-test'),
  );
  const { env } = containers[0];
  const secrets = [...env.map(({ valueFrom }) => valueFrom), ...volumes].flatMap((each) => {
    const { secretKeyRef, secret } = (each ?? {}) as { secretKeyRef?: object; secret?: object };
    return secretKeyRef ?? secret ?? [];
  });
  expect(secrets).toHaveLength(6);
  for (const secret of secrets) expect(secret).toMatchObject({ optional: true });
});

test('every image comes from the values', () => {
  const values = {
    image: { repository: 'registry.example/tollgate', tag: '9' },
    redis: { image: { repository: 'registry.example/redis', tag: '8' } },
    postgres: { image: { repository: 'registry.example/postgres', tag: '7' } },
  };
  const images = [...manifests(values).matchAll(/image: (.*)/g)].map(([, image]) => image);
  expect(new Set(images)).toEqual(
    new Set(['registry.example/tollgate:9', 'registry.example/redis:8', 'registry.example/postgres:7']),
  );
});

test('the annotations for Artifact Hub name all images and kinds', () => {
  const { annotations } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as {
    annotations: Readonly<Record<string, string>>;
  };
  const told = <T>(name: string) => parse(annotations[`artifacthub.io/${name}`]!) as T[];
  const images = [...manifests().matchAll(/image: (.*)/g)].map(([, image]) => image);
  expect(new Set(told<{ image: string }>('images').map(({ image }) => image))).toEqual(new Set(images));
  const kinds = defaults.filter(({ kind }) => kind === 'CustomResourceDefinition').map(({ metadata }) => metadata.name);
  expect(
    told<{ name: string }>('crds')
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(kinds.toSorted());
  for (const example of told<{ kind: string }>('crdsExamples')) expect(example.kind).toMatch(/^Claude/);
});

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version });
});

describe('the network', () => {
  const env = (values: object, name: string) =>
    podSpec(find(render(values), 'Deployment', name)).containers[0].env.filter((one) => /PROXY|NODE_/.test(one.name));
  const ports = (values: object, name = 'tollgate-operator') => {
    const { egress } = find(render(values), 'NetworkPolicy', name).spec as {
      egress: { ports: { port: number | string }[] }[];
    };
    return egress.flatMap((rule) => rule.ports.map(({ port }) => port));
  };

  test('a variable of extraEnv replaces ours, and NODE_OPTIONS are added to ours', () => {
    const extraEnv = [
      { name: 'LOG_LEVEL', value: 'debug' },
      { name: 'NODE_OPTIONS', value: '--use-system-ca' },
    ];
    const resources = render({ gateway: { extraEnv }, operator: { extraEnv } });
    for (const [name, size] of Object.entries({ 'tollgate-gateway': 8, 'tollgate-operator': 4 })) {
      const list = podSpec(find(resources, 'Deployment', name)).containers[0].env;
      expect(new Set(list.map((one) => one.name)).size).toBe(list.length);
      expect(environment(find(resources, 'Deployment', name))).toMatchObject({
        LOG_LEVEL: 'debug',
        NODE_OPTIONS: `--max-semi-space-size=${size} --use-system-ca`,
        PORT: expect.any(String),
        REDIS_URL: 'redis://tollgate-redis:6379/0',
      });
    }
  });

  test('a proxy is named to gateway and operator, and its port is open', () => {
    const proxy = { url: 'http://proxy.corp.example:8080', noProxy: '.svc', ports: [8080] };
    for (const name of ['tollgate-gateway', 'tollgate-operator']) {
      expect(env({ proxy }, name).filter(({ name: one }) => one !== 'NODE_OPTIONS')).toEqual([
        { name: 'HTTPS_PROXY', value: proxy.url },
        { name: 'HTTP_PROXY', value: proxy.url },
        { name: 'NO_PROXY', value: '.svc' },
      ]);
      expect(ports({ proxy }, name)).toContain(8080);
    }
    const valueFrom = { secretKeyRef: { name: 'proxy', key: 'url' } };
    expect(env({ proxy: { urlSecret: { name: 'proxy' } } }, 'tollgate-gateway')[0]).toEqual({
      name: 'HTTPS_PROXY',
      valueFrom,
    });
  });

  test('more CAs are mounted where Node looks for them', () => {
    const resources = render({ caBundle: { configMapName: 'corp-ca', key: 'bundle.pem' } });
    for (const name of ['tollgate-gateway', 'tollgate-operator']) {
      const workload = find(resources, 'Deployment', name);
      expect(environment(workload)).toMatchObject({ NODE_EXTRA_CA_CERTS: '/etc/tollgate/ca/ca.crt' });
      expect(podSpec(workload).volumes).toContainEqual({
        name: 'ca-bundle',
        configMap: { name: 'corp-ca', items: [{ key: 'bundle.pem', path: 'ca.crt' }] },
      });
    }
  });

  test('the API server is reached on its ports', () => {
    expect(ports({})).toEqual(expect.arrayContaining([443, 6443]));
    const own = ports({ networkPolicies: { apiServerPorts: [16443] } });
    expect(own).toEqual(expect.arrayContaining([443, 16443]));
    expect(own).not.toContain(6443);
  });

  test('a route has no time-outs where its controller has none', () => {
    const rule = (httpRoute: object) => {
      const route = { enabled: true, parentRefs: [{ name: 'edge' }], ...httpRoute };
      return (
        find(render({ gateway: { httpRoute: route } }), 'HTTPRoute', 'tollgate-gateway').spec as { rules: object[] }
      ).rules[0];
    };
    expect(rule({})).toHaveProperty('timeouts', { request: '0s', backendRequest: '0s' });
    expect(rule({ timeouts: null })).not.toHaveProperty('timeouts');
  });
});
