import { kubectl } from '../../../hack/cluster/node.ts';
import type { Statement } from '../../fakes/upstream/books.ts';
import { podOf, yamlOf } from './pods.ts';

const NAMESPACE = 'stand-in';
const PORT = 8899;

/** Where the stand-in for the Anthropic API is reached in the cluster. */
export const UPSTREAM = `http://upstream.${NAMESPACE}.svc:${PORT}`;

/** Starts the stand-in, if it does not run. Its books live as long as its Pod. */
export async function startStandIn(): Promise<void> {
  const program = {
    namespace: NAMESPACE,
    name: 'upstream',
    args: ['test/fakes/upstream/main.ts'],
    env: { PORT: String(PORT), HOST: '0.0.0.0' },
    port: PORT,
  };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: NAMESPACE, name: 'upstream' },
    spec: { selector: { app: 'upstream' }, ports: [{ port: PORT }] },
  };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  await kubectl(['apply', '-f', '-'], { input: `${yamlOf(namespace)}${yamlOf(service)}${podOf(program)}` });
  await kubectl(['wait', '--for=condition=Ready', '--timeout=60s', '-n', NAMESPACE, 'pod/upstream']);
}

/** What it charged, by its own books. It is asked through the API server, which reaches into every cluster. */
export async function books(): Promise<Statement> {
  const path = `/api/v1/namespaces/${NAMESPACE}/services/upstream:${PORT}/proxy/books`;
  return JSON.parse(await kubectl(['get', '--raw', path])) as Statement;
}
