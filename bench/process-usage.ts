import { readFileSync } from 'node:fs';
import type { Installation } from './installation.ts';

/** Peak resident memory of a process in bytes; null if it has ended. */
export function peakMemoryBytes(pid: number): number | null {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

/** User and system time of a process in seconds. Linux only. */
export function cpuSeconds(pid: number): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

const WRITTEN = /^(claudebudgets|claudeworkspaces|events|configmaps|secrets)$/;

/** How many writes the API server has accepted of the kinds that Tollgate writes, except Leases, which others write too. */
export async function apiServerWrites(installation: Installation): Promise<number> {
  const text = await installation.kubectl('get', '--raw', '/metrics');
  let sum = 0;
  for (const [, labels = '', value] of text.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)) {
    const label = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    if (/^(POST|PUT|PATCH|APPLY|DELETE)$/.test(label('verb')) && WRITTEN.test(label('resource'))) sum += Number(value);
  }
  return sum;
}
