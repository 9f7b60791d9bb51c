import { join } from 'node:path';
import { assetFolder } from '../assets/asset-folder.ts';
import type { System } from './system.ts';

/** What `.run/env` says: a shell that sources it finds the system, its programs and its usage log. It holds passwords. */
export function environment(
  system: Pick<System, 'kubeconfig' | 'gatewayUrls' | 'upstreamUrl' | 'redisUrl' | 'logPlace'>,
): string {
  const { kubeconfig, gatewayUrls, upstreamUrl, redisUrl, logPlace } = system;
  const variables = {
    KUBECONFIG: kubeconfig,
    GATEWAY_URL: gatewayUrls[0] ?? '',
    GATEWAY_URLS: gatewayUrls.join(' '),
    UPSTREAM_URL: upstreamUrl,
    REDIS_URL: redisUrl,
    ...logPlace,
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`);
  // kubectl, and the Node that everything runs on, for shells that have none: a developer's own programs stay first.
  const programs = quote(`${assetFolder('control_plane')}:${join(import.meta.dirname, '../../node_modules/.bin')}`);
  const path = `case ":$PATH:" in *:${programs}:*) ;; *) export PATH="$PATH":${programs} ;; esac`;
  return `${[...lines, path].join('\n')}\n`;
}

function quote(value: string): string {
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}
