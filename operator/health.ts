import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Registry } from 'prom-client';

interface HealthOptions {
  /** 0 takes any free one. */
  readonly port: number;
  readonly registry: Registry;
  readonly isReady: () => boolean;
}

/** Serves /healthz, /readyz and /metrics. Resolves, with the port, once it listens. */
export async function serveHealth(options: HealthOptions): Promise<{ server: Server; port: number }> {
  const app = express().set('env', 'production').disable('x-powered-by').disable('etag');
  app.get('/healthz', (_request, response) => void response.type('text').send('ok'));
  app.get('/readyz', (_request, response) => {
    const isReady = options.isReady();
    response
      .status(isReady ? 200 : 503)
      .type('text')
      .send(isReady ? 'ok' : 'the caches are not filled yet');
  });
  app.get('/metrics', async (_request, response) => {
    const text = await options.registry.metrics();
    response.type(options.registry.contentType).send(text);
  });
  const server = await new Promise<Server>((resolve, reject) => {
    const listening = app.listen(options.port, (error) => (error ? reject(error) : resolve(listening)));
  });
  return { server, port: (server.address() as AddressInfo).port };
}
