import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { kubectl, repositoryOf } from '../../../hack/cluster/node.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')) as {
  version: string;
};
const image = `${repositoryOf('tollgate')}:${version}`;
const namespace = `image-${randomBytes(4).toString('hex')}`;

beforeAll(async () => {
  await kubectl(['create', 'namespace', namespace]);
  await kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
});

afterAll(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));

test('the image runs without root, on a read-only file system, without capabilities', async () => {
  expect(await runPod('version', { args: ['--version'] })).toBe(`${version}\n`);
});

test('the image lists its packages and their licences', async () => {
  const command = ['node', '-p', "require('/app/sbom.cdx.json').components.map(({ name }) => name).join()"];
  expect((await runPod('sbom', { command })).split(',')).toEqual(expect.arrayContaining(['undici', 'ioredis']));
  expect(await runPod('licences', { command: ['cat', '/app/licences.md'] })).toContain('| `undici` |');
});

/** Runs the image once and returns what it printed. */
async function runPod(name: string, container: { command?: string[]; args?: string[] }): Promise<string> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image,
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
          ...container,
        },
      ],
    },
  };
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify(pod) });
  await kubectl(['wait', '-n', namespace, `pod/${name}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s']);
  return kubectl(['logs', '-n', namespace, name]);
}
