import { readFileSync } from 'node:fs';
import type { Installation } from './installation.ts';

/** The most RSS of a process in bytes; null where it is gone. */
export function memoryOf(pid: number): number | null {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

/** User and system time of a process, from Linux. Seconds. */
export function cpuSeconds(pid: number): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

const WRITTEN = /^(claudebudgets|claudeworkspaces|events|configmaps|secrets)$/;

/** Writes that the API server has taken: of everything that Tollgate writes but its Lease, two of which are renewed in 2 s by others too. */
export async function writes(installation: Installation): Promise<number> {
  const text = await installation.kubectl('get', '--raw', '/metrics');
  let sum = 0;
  for (const [, labels = '', value] of text.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)) {
    const label = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    if (/^(POST|PUT|PATCH|APPLY|DELETE)$/.test(label('verb')) && WRITTEN.test(label('resource'))) sum += Number(value);
  }
  return sum;
}
