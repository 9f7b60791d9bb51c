/** How Grafana writes down a panel: JSON of schema version 39, Grafana 10.4 or later. */

/** A query and what its series are called. */
export interface Query {
  readonly expr: string;
  /** In braces the name of a label. Absent: the value stands alone. */
  readonly legend?: string;
}

/** One panel of the dashboard. */
export interface Panel {
  readonly title: string;
  /** What it shows and which mark it has, for the reader of the dashboard. */
  readonly description: string;
  /** A figure, lines over time, bars over time, or the newest values with a bar each. */
  readonly kind: 'stat' | 'lines' | 'bars' | 'ranking';
  /** A unit of Grafana's. */
  readonly unit: 'currencyUSD' | 'percentunit' | 'short' | 's' | 'bytes' | 'reqpm' | 'none' | 'dateTimeFromNow';
  readonly queries: readonly Query[];
  /** From here on the value is bad, and red. */
  readonly mark?: number;
  /** Of 24. */
  readonly width: number;
}

/** A row of panels. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const STAT_HEIGHT = 5;
const HEIGHT = 8;
const WIDTH = 24;

/** The rows one below the other, as Grafana wants them: a flat list with positions. */
export function layOut(rows: readonly Row[]): readonly object[] {
  let y = 0;
  let id = 0;
  return rows.flatMap(({ title, panels }) => {
    const header = { id: ++id, type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: WIDTH, h: 1 }, panels: [] };
    y += 1;
    let x = 0;
    let tallest = 0;
    const placed = panels.map((panel) => {
      const height = panel.kind === 'stat' ? STAT_HEIGHT : HEIGHT;
      if (x + panel.width > WIDTH) [x, y, tallest] = [0, y + tallest, 0];
      const gridPos = { x, y, w: panel.width, h: height };
      x += panel.width;
      tallest = Math.max(tallest, height);
      return { id: ++id, gridPos, ...written(panel) };
    });
    y += tallest;
    return [header, ...placed];
  });
}

const TYPES = { stat: 'stat', lines: 'timeseries', bars: 'timeseries', ranking: 'bargauge' } as const;

function written({ title, description, kind, unit, queries, mark }: Panel): object {
  const isNow = kind === 'stat' || kind === 'ranking';
  const steps = [{ color: 'green', value: null }, ...(mark === undefined ? [] : [{ color: 'red', value: mark }])];
  return {
    type: TYPES[kind],
    title,
    description,
    datasource: DATASOURCE,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource: DATASOURCE,
      expr,
      instant: isNow,
      range: !isNow,
      legendFormat: legend?.replaceAll(/\{(\w+)\}/g, '{{$1}}') ?? '__auto',
    })),
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        thresholds: { mode: 'absolute', steps },
        custom: customOf(kind, mark),
        ...colorOf(kind),
      },
      overrides: [],
    },
    options: optionsOf(kind),
  };
}

function customOf(kind: Panel['kind'], mark: number | undefined): object {
  if (kind === 'stat' || kind === 'ranking') return {};
  const isBars = kind === 'bars';
  return {
    drawStyle: isBars ? 'bars' : 'line',
    fillOpacity: isBars ? 80 : 10,
    stacking: { mode: isBars ? 'normal' : 'none', group: 'A' },
    thresholdsStyle: { mode: mark === undefined ? 'off' : 'line' },
    showPoints: 'never',
  };
}

function colorOf(kind: Panel['kind']): object {
  return { color: { mode: kind === 'stat' || kind === 'ranking' ? 'thresholds' : 'palette-classic' } };
}

function optionsOf(kind: Panel['kind']): object {
  const reduceOptions = { calcs: ['lastNotNull'], fields: '', values: false };
  if (kind === 'stat') return { reduceOptions, colorMode: 'value', graphMode: 'none', textMode: 'auto' };
  if (kind === 'ranking')
    return { reduceOptions, orientation: 'horizontal', displayMode: 'gradient', showUnfilled: true };
  return {
    legend: { displayMode: 'table', placement: 'right', calcs: ['lastNotNull'], showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  };
}
