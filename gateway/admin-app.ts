import express, { type Express, type Request, type Response } from 'express';
import type { GatewayLedger } from '../ledger/gateway-ledger.ts';
import { LedgerUnreachable } from '../ledger/ledger.ts';
import { budgetsOf } from './free/budgets.ts';
import type { Health } from './health.ts';
import { authenticate } from './http/authenticate.ts';
import { refusalFor, refuse } from './http/send-refusal.ts';
import type { PolicySource } from './policy/active-policy.ts';
import type { Metrics } from './record/metrics.ts';

/** What the cluster asks a gateway for: /healthz, /readyz and /metrics. */
export function adminApp({ registry }: Metrics, health: Health): Express {
  const app = bare();
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

/** What callers ask for besides the API: their budgets. */
export function callerApp(policy: PolicySource, ledger: GatewayLedger, newId: () => string): Express {
  const app = bare();
  const sendBudgets = async (req: Request, res: Response): Promise<void> => {
    const identity = authenticate(req.headers, policy);
    if (!identity.ok) return refuse(res, identity.error, `req_${newId()}`);
    try {
      res.json({ budgets: await budgetsOf(identity.value.caller, ledger) });
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
      refuse(res, refusalFor('LedgerUnreachable'), `req_${newId()}`);
    }
  };
  app.get('/tollgate/v1/budgets', (req, res) => sendBudgets(req, res));
  return app;
}

/** In production mode Express does not send stack traces. */
function bare(): Express {
  return express().set('env', 'production').disable('x-powered-by').disable('etag');
}
