import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assetFolder } from '../assets/asset-folder.ts';
import { environment } from './environment.ts';
import { startSystem } from './system.ts';

// `make up`: the whole system in the background. REPLICAS: how many gateways. UPSTREAM: an Anthropic-compatible URL.

const directory = join(import.meta.dirname, '../../.run');

try {
  const replicas = replicasOf(process.env['REPLICAS'] ?? '2');
  const upstream = upstreamOf(process.env['UPSTREAM'] ?? '');
  mkdirSync(directory, { recursive: true });
  assetFolder('control_plane'); // may build for minutes, and prints its progress
  const system = await startSystem({ directory, replicas, upstream, supervised: true });
  writeFileSync(join(directory, 'env'), environment(system), { mode: 0o600 });
  for (const [name, { count, lastAt }] of system.restarts)
    console.log(
      `${name} ended by itself and was restarted ${count} times, last at ${lastAt}: .run/logs/supervisor.log`,
    );
  console.log(`Tollgate is up: gateways at ${system.gatewayUrls.join(' ')}, upstream at ${system.upstreamUrl}.`);
  console.log('Next: . .run/env && kubectl apply -f examples/first-budget.yaml. Logs: .run/logs. End it: make down.');
} catch (error) {
  console.error(`make up: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1); // does not wait for processes that are still starting
}

function replicasOf(text: string): number {
  const replicas = Number(text);
  if (!/^\d+$/.test(text) || replicas < 1 || replicas > 16) {
    throw new Error(`REPLICAS must be a whole number from 1 to 16, not "${text}"`);
  }
  return replicas;
}

function upstreamOf(text: string): string | undefined {
  if (text === '') return undefined;
  const url = URL.parse(text);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text.replace(/\/+$/, '');
  throw new Error(`UPSTREAM must be an http or https URL, not "${text}"`);
}
