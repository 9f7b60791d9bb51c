import { Gauge, type Registry } from 'prom-client';
import type { SpenderRanking } from '../../log/top-spenders.ts';
import { dollars } from '../../metrics/call-metrics.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { ZERO } from '../../policy/core/money.ts';
import type { SpenderTotals } from './top-spenders.ts';

/** How many users and customers the metrics may name. */
export type NameLimits = Pick<Settings, 'namedUsers' | 'namedCustomers'>;

/** Registers gauges of the customers and users that spent most in the last 24 hours; `read` returns null where this replica does not know. */
export function measureSpenders(registry: Registry, read: () => SpenderTotals | null, limits: NameLimits): void {
  const customers = (name: string, help: string, figure: (spenders: SpenderRanking) => number) => {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => {
        const spenders = read()?.customers;
        if (spenders === undefined) gauge.remove();
        else gauge.set(figure(spenders));
      },
    });
  };
  customers('tollgate_customers', 'The number of customers with calls in the last 24 hours.', ({ count }) => count);
  customers(
    'tollgate_top_customers_ratio',
    'The share of the spend of the last 24 hours that the top tenth of customers spent, from 0 to 1.',
    ({ tenthNano, totalNano }) => (totalNano === 0n ? 0 : dollars(tenthNano) / dollars(totalNano)),
  );
  customers(
    'tollgate_top_customer_usd',
    'What the customer with the highest spend spent in the last 24 hours, in US dollars.',
    ({ top }) => dollars(top[0]?.spentNano ?? ZERO),
  );
  const named = (kind: 'customer' | 'user', limit: number, find: (totals: SpenderTotals) => SpenderRanking | null) => {
    const gauge: Gauge = new Gauge({
      name: `tollgate_${kind}_usd`,
      help: `What each of the top ${kind}s spent in the last 24 hours, in US dollars; named only with the setting \`named${kind === 'user' ? 'Users' : 'Customers'}\`.`,
      labelNames: [kind],
      registers: [registry],
      collect: () => {
        gauge.reset();
        const totals = read();
        const top = totals === null ? [] : (find(totals)?.top ?? []);
        for (const { name, spentNano } of top.slice(0, limit)) gauge.set({ [kind]: name }, dollars(spentNano));
      },
    });
  };
  named('customer', limits.namedCustomers, (totals) => totals.customers);
  named('user', limits.namedUsers, (totals) => totals.users);
}
