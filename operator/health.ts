import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Registry } from 'prom-client';

interface HealthOptions {
  /** 0 takes any free one. */
  readonly port: number;
  readonly registry: Registry;
  readonly isAlive: () => boolean;
  readonly isReady: () => boolean;
}

/** Serves /healthz, /readyz and /metrics. Resolves, with the port, once it listens. */
export async function serveHealth(options: HealthOptions): Promise<{ server: Server; port: number }> {
  const app = express().set('env', 'production').disable('x-powered-by').disable('etag');
  const answer = (path: string, isWell: () => boolean, problem: string) =>
    app.get(path, (_request, response) => {
      const is = isWell();
      response
        .status(is ? 200 : 503)
        .type('text')
        .send(is ? 'ok' : problem);
    });
  answer('/healthz', options.isAlive, 'a reconciler hangs: tollgate_queue_longest_pass_seconds says which');
  answer('/readyz', options.isReady, 'the caches are not filled yet');
  app.get('/metrics', async (_request, response) => {
    const text = await options.registry.metrics();
    response.type(options.registry.contentType).send(text);
  });
  const server = await new Promise<Server>((resolve, reject) => {
    const listening = app.listen(options.port, (error) => (error ? reject(error) : resolve(listening)));
  });
  return { server, port: (server.address() as AddressInfo).port };
}
