/** The paging of `GET /v1/models`: pages of what a caller may use, made of the upstream's pages of everything. */

/** A page of the upstream's list. */
export interface ModelPage {
  readonly data: readonly { readonly id: string }[];
  readonly has_more?: boolean;
  readonly first_id?: string | null;
  readonly last_id?: string | null;
}

/** What a caller asks for. */
export interface PageRequest {
  /** How many models it takes; null for a limit that the upstream must refuse. */
  readonly limit: number | null;
  /** Whether it asks for what precedes a model (`before_id`), not for what follows one (`after_id`). */
  readonly isBackward: boolean;
  readonly query: URLSearchParams;
}

/** The upstream's own. */
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1_000;

/** How many pages of the upstream make up one of ours at most. */
const MAX_PAGES = 8;

/** Reads a query, with or without its question mark. */
export function pageRequest(text: string): PageRequest {
  const query = new URLSearchParams(text);
  const limit = Number(query.get('limit') ?? DEFAULT_LIMIT);
  const isValid = Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT;
  return { limit: isValid ? limit : null, isBackward: query.has('before_id'), query };
}

/**
 * One page of the models that `allows` lets through: as many as were asked for, with `has_more` and cursors that are true
 * of what the caller may see. Null where `read`, which reads the upstream's page for a query, gives none.
 */
export async function allowedPage(
  { limit, isBackward, query }: PageRequest,
  allows: (model: string) => boolean,
  read: (query: URLSearchParams) => Promise<ModelPage | null>,
): Promise<ModelPage | null> {
  const asked = new URLSearchParams(query);
  if (limit !== null) asked.set('limit', String(MAX_LIMIT));
  const most = limit ?? Infinity;
  const name = isBackward ? 'before_id' : 'after_id';
  let found: ModelPage['data'] = [];
  for (let pages = 1; ; pages++) {
    const page = await read(asked);
    if (page === null) return null;
    const next = nextCursor(page, isBackward);
    const isRepeated = next !== null && next === asked.get(name); // by an upstream that does not page
    if (isRepeated) return cut(page, found, most, isBackward, null);
    const own = page.data.filter(({ id }) => allows(id));
    found = isBackward ? [...own, ...found] : [...found, ...own];
    if (next === null || found.length > most || pages === MAX_PAGES) return cut(page, found, most, isBackward, next);
    asked.set(name, next);
  }
}

/** The model from which the upstream's next page goes on; null for the last page. */
function nextCursor({ data, has_more: more, first_id: first, last_id: last }: ModelPage, isBackward: boolean) {
  if (more !== true) return null;
  return (isBackward ? (first ?? data[0]?.id) : (last ?? data.at(-1)?.id)) ?? null;
}

/** What is shown of what was found. `next`: from where the upstream's list goes on, which nothing shown may say. */
function cut(
  page: ModelPage,
  found: ModelPage['data'],
  most: number,
  isBackward: boolean,
  next: string | null,
): ModelPage {
  const from = isBackward ? Math.max(0, found.length - most) : 0;
  const data = found.slice(from, from + most);
  const [first, last] = isBackward ? [next, null] : [null, next];
  return {
    ...page,
    data,
    has_more: next !== null || found.length > data.length,
    first_id: data[0]?.id ?? first,
    last_id: data.at(-1)?.id ?? last,
  };
}
