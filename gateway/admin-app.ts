import express, { type Express } from 'express';
import type { Health } from './health.ts';
import type { Metrics } from './record/metrics.ts';

/** What the cluster asks a gateway for: /healthz, /readyz and /metrics. In production mode Express sends no stack traces. */
export function adminApp({ registry }: Metrics, health: Health): Express {
  const app = express().set('env', 'production').disable('x-powered-by').disable('etag');
  app.get('/healthz', (_req, res) => void res.type('text').send('ok\n'));
  app.get('/readyz', (_req, res) => {
    const reason = health.notReady;
    const status = reason === null ? 200 : 503;
    res
      .status(status)
      .type('text')
      .send(`${reason ?? 'ok'}\n`);
  });
  app.get('/metrics', async (_req, res) => {
    res.type(registry.contentType).send(await registry.metrics());
  });
  return app;
}
