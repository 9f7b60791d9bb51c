import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../hack/services/ports.ts';
import { type Child, launch } from '../hack/services/processes.ts';

/** Starts bare-proxy.ts, with which the gateway is compared. */
export async function startBareProxy(upstream: string): Promise<{ child: Child; url: string }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(mkdtempSync(join(tmpdir(), 'tollgate-bench-')), 'bare-proxy.log');
  const env = { PATH: process.env['PATH'], UPSTREAM: upstream, PORT: String(port) };
  const command = {
    name: 'bare-proxy',
    command: process.execPath,
    args: [join(import.meta.dirname, 'bare-proxy.ts')],
    logFile,
    env,
  };
  const child = await launch(command, () =>
    fetch(url).then(
      (answer) => answer.ok || undefined,
      () => undefined,
    ),
  );
  return { child, url };
}
