import { layOut } from './panel.ts';
import { rows } from './rows.ts';

/** The Grafana dashboard as JSON. */
export function dashboard(): string {
  const variable = { hide: 0, includeAll: false, multi: false, refresh: 1, skipUrlSync: false };
  const whole = {
    uid: 'tollgate',
    title: 'Tollgate',
    description: 'What is spent on Claude, by whom, and how far the budgets are.',
    tags: ['tollgate', 'claude'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '1m',
    time: { from: 'now-24h', to: 'now' },
    timezone: 'browser',
    templating: {
      list: [
        { ...variable, name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
        {
          ...variable,
          name: 'workspace',
          label: 'Workspace',
          type: 'query',
          datasource: { type: 'prometheus', uid: '${datasource}' },
          query: { query: 'label_values(tollgate_calls_total, workspace)', refId: 'workspace' },
          includeAll: true,
          allValue: '.*',
          multi: true,
          refresh: 2,
          sort: 1,
        },
      ],
    },
    annotations: { list: [] },
    links: [],
    panels: layOut(rows),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}
