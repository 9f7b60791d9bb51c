import express, { type Express } from 'express';
import { type GatewayLedger, LedgerUnreachable } from '../ledger/ledger.ts';
import { budgetsOf } from './budgets.ts';
import { identify } from './identify.ts';
import type { Metrics } from './metrics.ts';
import type { PolicySource } from './policy.ts';
import { isRefusal, plainly, refuse } from './refuse.ts';

const BUDGETS_PATH = '/tollgate/v1/budgets';

interface Parts {
  readonly policy: PolicySource;
  readonly ledger: GatewayLedger;
  readonly metrics: Metrics;
  /** Null where the gateway may be sent calls, else why not. */
  readonly notReady: () => string | null;
  readonly newId: () => string;
}

/** What the cluster asks of a gateway: /healthz, /readyz and /metrics. */
export function adminApp({ metrics, notReady }: Pick<Parts, 'metrics' | 'notReady'>): Express {
  const app = bare();
  app.get('/healthz', (_req, res) => void res.type('text').send('ok\n'));
  app.get('/readyz', (_req, res) => {
    const reason = notReady();
    res
      .status(reason === null ? 200 : 503)
      .type('text')
      .send(`${reason ?? 'ok'}\n`);
  });
  app.get('/metrics', (_req, res, next) => {
    metrics.registry.metrics().then((text) => res.type(metrics.registry.contentType).send(text), next);
  });
  return app;
}

/** What callers ask besides the API: their budgets. */
export function callerApp({ policy, ledger, newId }: Pick<Parts, 'policy' | 'ledger' | 'newId'>): Express {
  const app = bare();
  app.get(BUDGETS_PATH, (req, res, next) => {
    const identity = identify(req.headers, policy);
    if (isRefusal(identity)) return refuse(res, identity, `req_${newId()}`);
    budgetsOf(identity.caller, ledger).then(
      (budgets) => res.json({ budgets }),
      (error: unknown) => {
        if (error instanceof LedgerUnreachable) refuse(res, plainly('LedgerUnreachable'), `req_${newId()}`);
        else next(error);
      },
    );
  });
  return app;
}

function bare(): Express {
  return express().disable('x-powered-by').disable('etag');
}
