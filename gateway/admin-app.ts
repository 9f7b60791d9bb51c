import express, { type Express, type Request, type Response } from 'express';
import { answerScrape } from '../metrics/scrape.ts';
import type { Health } from './health.ts';
import type { Metrics } from './record/metrics.ts';

/** What the cluster asks a gateway for: /healthz, /readyz and /metrics. In production mode Express sends no stack traces. */
export function adminApp({ registry }: Metrics, health: Health, metricsToken: string | null): Express {
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
  const sendMetrics = async (req: Request, res: Response): Promise<void> => {
    const { status, type, text } = await answerScrape(registry, metricsToken, req.get('authorization'));
    res.status(status).type(type).send(text);
  };
  app.get('/metrics', (req, res) => sendMetrics(req, res));
  return app;
}
