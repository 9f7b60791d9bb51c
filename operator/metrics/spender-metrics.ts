import { Gauge, type Registry } from 'prom-client';
import type { Spenders } from '../../log/spenders.ts';
import { dollars } from '../../metrics/call-metrics.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { SpenderFindings } from './top-spenders.ts';

/** How many names metrics may hold. */
export type NameLimits = Pick<Settings, 'namedUsers' | 'namedCustomers'>;

/** Who spent what within the last day, asked at each scrape; null where this replica does not know. */
export function measureSpenders(registry: Registry, read: () => SpenderFindings | null, limits: NameLimits): void {
  const customers = (name: string, help: string, figure: (spenders: Spenders) => number) => {
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
  customers('tollgate_customers', 'How many customers had calls within the last 24 hours.', ({ count }) => count);
  customers(
    'tollgate_top_customers_ratio',
    'The share of what they spent that the tenth of them spent who spent most, from 0 to 1.',
    ({ tenthNano, totalNano }) => (totalNano === 0n ? 0 : dollars(tenthNano) / dollars(totalNano)),
  );
  customers('tollgate_top_customer_usd', 'What the one of them spent who spent most.', ({ dearest }) =>
    dollars(dearest[0]?.spentNano ?? 0n),
  );
  const named = (kind: 'customer' | 'user', limit: number, find: (findings: SpenderFindings) => Spenders | null) => {
    const gauge: Gauge = new Gauge({
      name: `tollgate_${kind}_usd`,
      help: `What the ${kind}s that spent most within the last 24 hours spent; only where the setting \`named${kind === 'user' ? 'Users' : 'Customers'}\` allows their names.`,
      labelNames: [kind],
      registers: [registry],
      collect: () => {
        gauge.reset();
        const findings = read();
        const dearest = findings === null ? [] : (find(findings)?.dearest ?? []);
        for (const { name, spentNano } of dearest.slice(0, limit)) gauge.set({ [kind]: name }, dollars(spentNano));
      },
    });
  };
  named('customer', limits.namedCustomers, (findings) => findings.customers);
  named('user', limits.namedUsers, (findings) => findings.users);
}
