import { stringify } from 'yaml';
import { repositoryOf } from '../../../hack/cluster/node.ts';

/** A Pod that runs one of the repository's files, as the level `restricted` of Pod Security wants it. */
export interface Program {
  readonly namespace: string;
  readonly name: string;
  /** The file and its arguments. */
  readonly args: string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A Secret whose keys are its environment too. */
  readonly secret?: string;
  /** The port that it answers HTTP on as soon as it does its work. */
  readonly port?: number;
}

const IMAGE = `${repositoryOf('tollgate-test')}:1`;

/** The Pod's YAML. It is not started again where it ends. */
export function podOf({ namespace, name, args, env = {}, secret, port }: Program): string {
  return yamlOf({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels: { app: name } },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image: IMAGE,
          imagePullPolicy: 'IfNotPresent',
          args,
          env: Object.entries(env).map(([name, value]) => ({ name, value })),
          envFrom: secret === undefined ? [] : [{ secretRef: { name: secret } }],
          // Once ready it stays so: on a machine with much to do a late answer must not take it out of its Service.
          readinessProbe:
            port === undefined ? undefined : { httpGet: { path: '/', port }, periodSeconds: 1, failureThreshold: 600 },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    },
  });
}

/** One YAML document. */
export function yamlOf(resource: object): string {
  return `---\n${stringify(resource)}`;
}
