/** What Argo CD and Flux would say of a resource: their Lua run by a real Lua, their CEL by the API server. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { parse } from 'yaml';
import type { Redis as Server } from '../../../hack/services/redis.ts';
import { condition, type ConditionType, type Finding } from '../../../policy/core/conditions.ts';
import { cluster } from '../../support/cluster.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const folder = join(import.meta.dirname, '../../../examples/gitops');
const read = (file: string): unknown => parse(readFileSync(join(folder, file), 'utf8'));

interface Expressions {
  kind: string;
  inProgress: string;
  failed: string;
  current: string;
}

const { data: argo } = read('argocd-cm.yaml') as { data: Record<string, string> };
const { healthCheckExprs: flux } = (read('flux.yaml') as { spec: { healthCheckExprs: Expressions[] } }).spec;

/** What a status says of `Ready`, for which generation; the object has generation 1. */
type Said = readonly [reason: Finding<'Ready'>['reason'], generation: number] | null;

function conditions(said: Said) {
  if (said === null) return [];
  const of = <T extends ConditionType>(type: T, reason: Finding<T>['reason']) =>
    condition(type, { reason, message: `${reason}.` }, said[1], 0, []);
  return [of('Accepted', 'Accepted'), of('Ready', said[0])];
}

const cases: readonly (readonly [string, Said, string, string])[] = [
  ['the operator has said nothing', null, 'Progressing', 'InProgress'],
  ['the operator has spoken of an older form', ['Ready', 0], 'Progressing', 'InProgress'],
  ['it is enforced', ['Ready', 1], 'Healthy', 'Current'],
  ['some gateway does not enforce it yet', ['NotProgrammed', 1], 'Progressing', 'none'],
  ['it is wrong', ['NotAccepted', 1], 'Degraded', 'Failed'],
  ['it is suspended', ['Suspended', 1], 'Suspended', 'Current'],
  ['the upstream key is gone', ['UpstreamKeyMissing', 1], 'Degraded', 'Failed'],
];

describe('Argo CD', () => {
  let server: Server;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });

  afterAll(async () => {
    redis?.disconnect();
    await server?.stop();
  });

  test.each(cases)('if %s', async (_, said, expected) => {
    for (const kind of ['ClaudeBudget', 'ClaudeWorkspace']) {
      const script = argo[`resource.customizations.health.tollgate.dev_${kind}`]!;
      const lua = `local function health(obj)\n${script}\nend\nreturn cjson.encode(health(cjson.decode(ARGV[1])))`;
      const object = { metadata: { generation: 1 }, status: { conditions: conditions(said) } };
      const answer = JSON.parse((await redis.eval(lua, 0, JSON.stringify(object))) as string) as Record<string, string>;
      expect([kind, answer['status']]).toEqual([kind, expected]);
      expect(answer['message']).not.toBe('');
      const bare = (await redis.eval(lua, 0, JSON.stringify({ metadata: { generation: 1 } }))) as string;
      expect(JSON.parse(bare)).toMatchObject({ status: 'Progressing' });
    }
  });
});

describe('Flux', () => {
  let namespace: string;
  const plurals: Record<string, string> = { ClaudeBudget: 'claudebudgets', ClaudeWorkspace: 'claudeworkspaces' };

  /** Flux sees the fields of the object by their names, a policy sees the object. */
  const inPolicy = (expression: string) => expression.replaceAll(/(?<![.\w])(status|metadata)(?=[.)])/g, 'object.$1');

  beforeAll(async () => {
    const { kubectl, apply, namespace: create } = cluster();
    namespace = await create('flux');
    await kubectl('label', 'namespace', namespace, `flux.test/here=${namespace}`);
    for (const { kind, inProgress, failed, current } of flux) {
      const name = `flux-${kind.toLowerCase()}-${namespace}`;
      const [one, two, three] = [inProgress, failed, current].map(inPolicy);
      const messageExpression = `(${one}) ? 'says InProgress' : (${two}) ? 'says Failed' : (${three}) ? 'says Current' : 'says none'`;
      const rule = { apiGroups: ['tollgate.dev'], apiVersions: ['v1alpha1'], operations: ['UPDATE'] };
      const spec = {
        matchConstraints: { resourceRules: [{ ...rule, resources: [`${plurals[kind]}/status`] }] },
        validations: [{ expression: 'false', messageExpression }],
      };
      const matchResources = { namespaceSelector: { matchLabels: { 'flux.test/here': namespace } } };
      const group = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
      await apply(JSON.stringify({ ...group, kind: 'ValidatingAdmissionPolicy', spec }));
      const binding = { policyName: name, validationActions: ['Deny'], matchResources };
      await apply(JSON.stringify({ ...group, kind: 'ValidatingAdmissionPolicyBinding', spec: binding }));
    }
    const resource = (kind: string, spec: object) =>
      apply(JSON.stringify({ apiVersion: 'tollgate.dev/v1alpha1', kind, metadata: { name: 'one', namespace }, spec }));
    await resource('ClaudeWorkspace', { upstream: { apiKeySecretRef: { name: 'anthropic' } } });
    await resource('ClaudeBudget', { workspaceRef: { name: 'one' }, limit: { usd: '1' }, period: { every: 'Day' } });
    for (const kind of Object.keys(plurals)) await until(() => verdict(kind, null), 30_000);
  });

  afterAll(async () => {
    const names = flux.map(({ kind }) => `flux-${kind.toLowerCase()}-${namespace}`);
    const kinds = 'validatingadmissionpolicybindings,validatingadmissionpolicies';
    await cluster().kubectl('delete', kinds, '--ignore-not-found', ...names);
  });

  /** What the expressions say of a status that is not written; undefined while the policy is not in force. */
  async function verdict(kind: string, said: Said): Promise<string | undefined> {
    const patch = JSON.stringify({ status: { conditions: conditions(said) } });
    const args = ['--subresource=status', '--type=merge', '--dry-run=server', '-p', patch];
    return cluster()
      .kubectl('patch', plurals[kind]!, 'one', '-n', namespace, ...args)
      .then(
        () => undefined,
        (error: Error) => /says (\w+)/.exec(error.message)?.[1] ?? error.message,
      );
  }

  test.each(cases)('if %s', async (_, said, _argo, expected) => {
    for (const kind of Object.keys(plurals)) expect([kind, await verdict(kind, said)]).toEqual([kind, expected]);
  });

  test('a workspace waits for its budget', async () => {
    expect(await verdict('ClaudeWorkspace', ['NoBudget', 1])).toBe('none');
  });
});
