import { Problem } from './envelope.ts';
import { MODEL_IDS } from './prices.ts';

/** Models that Anthropic served once: a call of one is answered with 404. Without the date of their snapshots. */
const RETIRED: ReadonlySet<string> = new Set([
  'claude-opus-4-1',
  'claude-opus-4-0',
  'claude-opus-4',
  'claude-sonnet-4-5',
  'claude-sonnet-4-0',
  'claude-sonnet-4',
  'claude-3-7-sonnet',
  'claude-3-5-sonnet',
  'claude-3-5-haiku',
  'claude-3-opus',
  'claude-3-sonnet',
  'claude-3-haiku',
  'claude-2.1',
  'claude-2.0',
  'claude-2',
  'claude-1.3',
  'claude-1',
  'claude-instant-1.2',
  'claude-instant-1',
]);

/** Whether the API still serves a model of this name. */
export function isServed(model: string): boolean {
  return !RETIRED.has(model.replace(/-(?:20\d{6}|latest)$/, ''));
}

/** Answers `GET /v1/models` and `/v1/models/{id}`. */
export function models(route: string, query: URLSearchParams): unknown {
  const data = MODEL_IDS.map((id) => ({ type: 'model', id, display_name: id, created_at: '2026-01-01T00:00:00Z' }));
  if (route === 'GET /v1/models') {
    const limit = Number(query.get('limit') ?? 20);
    if (!(limit >= 1 && limit <= 1000)) throw new Problem(400, 'invalid_request_error', 'limit: 1 to 1000');
    const rest = data.slice(data.findIndex(({ id }) => id === query.get('after_id')) + 1);
    const page = rest.slice(0, limit);
    const cursors = { first_id: page.at(0)?.id ?? null, last_id: page.at(-1)?.id ?? null };
    return { data: page, has_more: rest.length > page.length, ...cursors };
  }
  const one = data.find(({ id }) => route === `GET /v1/models/${id}`);
  if (one) return one;
  throw new Problem(404, 'not_found_error', 'Not found');
}
