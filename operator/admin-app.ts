import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Request, type Response } from 'express';
import type { Registry } from 'prom-client';
import { answerScrape } from '../metrics/scrape.ts';

interface HealthOptions {
  /** 0 takes any free one. */
  readonly port: number;
  readonly registry: Registry;
  /** What a scraper of metrics must show; null: metrics are not served. */
  readonly metricsToken: string | null;
  readonly isAlive: () => boolean;
  /** Why it is not ready, null where it is. */
  readonly notReady: () => string | null;
}

const HANGS = 'a reconciler hangs: tollgate_work_queue_longest_running_seconds says which';

/** Serves /healthz, /readyz and /metrics. Resolves, with the port, once it listens. */
export async function serveAdminApp(options: HealthOptions): Promise<{ server: Server; port: number }> {
  const app = express().set('env', 'production').disable('x-powered-by').disable('etag');
  const answer = (path: string, problemOf: () => string | null) =>
    app.get(path, (_request, response) => {
      const problem = problemOf();
      response
        .status(problem === null ? 200 : 503)
        .type('text')
        .send(problem ?? 'ok');
    });
  answer('/healthz', () => (options.isAlive() ? null : HANGS));
  answer('/readyz', options.notReady);
  const sendMetrics = async (request: Request, response: Response): Promise<void> => {
    const { registry, metricsToken } = options;
    const { status, type, text } = await answerScrape(registry, metricsToken, request.get('authorization'));
    response.status(status).type(type).send(text);
  };
  app.get('/metrics', (request, response) => sendMetrics(request, response));
  const server = await new Promise<Server>((resolve, reject) => {
    const listening = app.listen(options.port, (error) => (error ? reject(error) : resolve(listening)));
  });
  return { server, port: (server.address() as AddressInfo).port };
}
