import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { serveAdminApp } from '../../../operator/admin-app.ts';

test('the probes answer with the problem', async () => {
  const state: { isAlive: boolean; problem: string | null } = { isAlive: true, problem: 'not yet' };
  const { server, port } = await serveAdminApp({
    port: 0,
    registry: new Registry(),
    metricsToken: 'a-token-of-tests-only',
    isAlive: () => state.isAlive,
    notReady: () => state.problem,
  });
  const asked = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()];
  };
  expect(await asked('/healthz')).toEqual([200, 'ok']);
  expect(await asked('/readyz')).toEqual([503, 'not yet']);
  expect((await asked('/metrics'))[0]).toBe(401);
  state.isAlive = false;
  state.problem = null;
  expect(await asked('/healthz')).toEqual([503, expect.stringContaining('hangs')]);
  expect(await asked('/readyz')).toEqual([200, 'ok']);
  server.close();
  server.closeAllConnections();
});
