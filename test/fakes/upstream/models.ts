import { Problem } from './envelope.ts';
import { MODEL_IDS } from './prices.ts';

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
