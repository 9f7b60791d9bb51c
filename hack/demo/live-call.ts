import Anthropic from '@anthropic-ai/sdk';
import { stringify } from 'yaml';
import { REAL_API, type System } from '../run/system.ts';
import { kubectl } from '../services/kubectl.ts';
import type { Output } from './output.ts';
import { keyIn } from './teams.ts';

/** One tiny call to the real API, through a budget of one cent. It costs a small part of a cent. */
export async function liveCall({ kubeconfig, gatewayUrls }: System, key: string, output: Output): Promise<void> {
  output.step(`The system is up; its upstream is ${REAL_API}.`);
  await kubectl(kubeconfig, ['apply', '--server-side', '-f', '-'], resources(key));
  await kubectl(kubeconfig, ['wait', '--for=condition=Programmed', '--timeout=180s', '-n', 'live', 'cb/one-cent']);
  const client = new Anthropic({
    baseURL: gatewayUrls[0] ?? '',
    apiKey: await keyIn(kubeconfig, 'live', 'tiny-claude'),
  });
  const request = {
    model: 'claude-haiku-4-5',
    max_tokens: 16,
    messages: [{ role: 'user' as const, content: 'Say hello in one word.' }],
  };
  const { data, response } = await client.messages.create(request).withResponse();
  const [block] = data.content;
  output.print(`  Claude says: ${block?.type === 'text' ? block.text : '(nothing)'}`);
  output.print(`  It cost $${response.headers.get('x-tollgate-cost-usd')}.`);
  await kubectl(kubeconfig, [
    'wait',
    '--for=jsonpath={.status.requests}=1',
    '--timeout=60s',
    '-n',
    'live',
    'cb/one-cent',
  ]);
  output.print(await kubectl(kubeconfig, ['get', 'claudebudgets', '-n', 'live']));
}

function resources(key: string): string {
  const inLive = (name: string) => ({ name, namespace: 'live' });
  const apiVersion = 'tollgate.dev/v1alpha1';
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'live' } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: inLive('anthropic'),
      type: 'tollgate.dev/upstream-key',
      stringData: { 'api-key': key },
    },
    {
      apiVersion,
      kind: 'ClaudeWorkspace',
      metadata: inLive('tiny'),
      spec: {
        upstream: { baseURL: REAL_API, apiKeySecretRef: { name: 'anthropic' } },
        keys: [{ name: 'demo', secretName: 'tiny-claude' }],
      },
    },
    {
      apiVersion,
      kind: 'ClaudeBudget',
      metadata: inLive('one-cent'),
      spec: { workspaceRef: { name: 'tiny' }, limit: { usd: '0.01' }, period: { every: 'Day', timeZone: 'UTC' } },
    },
  ]
    .map((resource) => stringify(resource))
    .join('---\n');
}
