import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseUsd } from '../../policy/core/money.ts';
import { kubectl } from '../services/kubectl.ts';

/** A team of the demo, as its programs know it. */
export interface Team {
  namespace: string;
  budget: string;
  /** The key that Tollgate made for it. */
  apiKey: string;
  /** The key that the gateway shows to the upstream for it. */
  upstreamKey: string;
}

interface Zones {
  shop: string;
  insights: string;
}

const manifest = join(import.meta.dirname, 'teams.yaml');

/** Applies both teams' resources, waits until every gateway enforces them, and reads the keys that Tollgate made. */
export async function applyTeams(kubeconfig: string, now: Date): Promise<[Team, Team]> {
  const zones = calmZones(now);
  const yaml = readFileSync(manifest, 'utf8')
    .replaceAll('America/New_York', zones.shop)
    .replaceAll('Europe/Berlin', zones.insights);
  await kubectl(kubeconfig, ['apply', '--server-side', '-f', '-'], yaml);
  await kubectl(kubeconfig, ['wait', '--for=condition=Programmed', '--timeout=180s', '--all', '-A', 'claudebudgets']);
  const team = async (namespace: string, budget: string, secret: string): Promise<Team> => ({
    namespace,
    budget,
    apiKey: await keyIn(kubeconfig, namespace, secret),
    upstreamKey: `sk-ant-demo-${namespace}`,
  });
  return [
    await team('shop', 'assistant-daily', 'assistant-claude'),
    await team('insights', 'per-customer', 'reports-claude'),
  ];
}

/** What `kubectl get` says was spent of a team's budget, in nano-dollars. */
export async function spentOf(kubeconfig: string, { namespace, budget }: Team): Promise<bigint> {
  const path = 'jsonpath={.status.spentUsd}';
  const spent = await kubectl(kubeconfig, ['get', 'claudebudget', budget, '-n', namespace, '-o', path]);
  return parseUsd(spent || '0');
}

/** The caller key in a Secret that Tollgate made; waits until it is there. */
export async function keyIn(kubeconfig: string, namespace: string, secret: string): Promise<string> {
  await kubectl(kubeconfig, ['wait', '--for=create', '--timeout=180s', '-n', namespace, `secret/${secret}`]);
  const path = 'jsonpath={.data.ANTHROPIC_API_KEY}';
  const encoded = await kubectl(kubeconfig, ['get', 'secret', secret, '-n', namespace, '-o', path]);
  return Buffer.from(encoded, 'base64').toString('utf8');
}

/** The two cities, or neighbours where a day ends within the hour, since the budget's period would change during the demo. */
function calmZones(now: Date): Zones {
  const calm = (zones: readonly string[]) => zones.find((timeZone) => hourIn(timeZone, now) !== 23) ?? 'UTC';
  return {
    shop: calm(['America/New_York', 'America/Chicago']),
    insights: calm(['Europe/Berlin', 'Europe/London']),
  };
}

function hourIn(timeZone: string, now: Date): number {
  return Number(new Intl.DateTimeFormat('en', { timeZone, hour: 'numeric', hourCycle: 'h23' }).format(now));
}
