import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { start } from '../../../hack/services/processes.ts';
import { until } from '../../support/until.ts';

/** Nothing listens there. */
const CLOSED = 'https://127.0.0.1:1';

test('an operator that cannot reach the API server says so, and where it looked', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tollgate-no-server-'));
  const kubeconfig = join(directory, 'kubeconfig');
  const contexts = [{ name: 'only', context: { cluster: 'only', user: 'only' } }];
  const clusters = [{ name: 'only', cluster: { server: CLOSED } }];
  const users = [{ name: 'only', user: { token: 'a-token' } }];
  const config = { apiVersion: 'v1', kind: 'Config', 'current-context': 'only', clusters, contexts, users };
  writeFileSync(kubeconfig, JSON.stringify(config));
  const operator = start({
    name: 'operator',
    command: process.execPath,
    args: [join(import.meta.dirname, '../../../operator/main.ts')],
    logFile: join(directory, 'operator.log'),
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG: kubeconfig,
      REDIS_URL: 'redis://127.0.0.1:1/0',
      TOLLGATE_USAGE_LOG_FOLDER: join(directory, 'log'),
      POD_NAME: 'operator-1',
      PORT: '0',
    },
  });
  const said = () => readFileSync(operator.logFile, 'utf8');
  await until(() => said().includes('the API server does not answer; waiting for it'), 120_000);
  expect(said()).toContain('no connection to the API server at 127.0.0.1:1 (ECONNREFUSED)');
  expect(said()).not.toContain('a-token');
  await operator.stop();
}, 180_000);
