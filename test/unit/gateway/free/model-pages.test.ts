import { describe, expect, test } from '@jest/globals';
import { allowedPage, type ModelPage, pageRequest } from '../../../../gateway/free/model-pages.ts';

const ids = (count: number, name: (i: number) => string): string[] => Array.from({ length: count }, (_, i) => name(i));

/** Pages as the API does: cursors, `limit`, newest first; at most `most` models a page, whatever was asked for. */
function upstreamOf(all: readonly string[], most = Infinity) {
  const asked: string[] = [];
  const read = (query: URLSearchParams): Promise<ModelPage> => {
    asked.push(String(query));
    const limit = Math.min(Number(query.get('limit') ?? 20), most);
    const [after, before] = [query.get('after_id'), query.get('before_id')];
    const rest =
      before !== null ? all.slice(0, all.indexOf(before)) : after === null ? all : all.slice(all.indexOf(after) + 1);
    const shown = before === null ? rest.slice(0, limit) : rest.slice(-limit);
    const data = shown.map((id) => ({ id, type: 'model' }));
    const cursors = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
    return Promise.resolve({ data, has_more: rest.length > shown.length, ...cursors });
  };
  return { read, asked };
}

const isHaiku = (id: string): boolean => id.startsWith('haiku');
const shown = (page: ModelPage | null) => [page?.data.map(({ id }) => id), page?.has_more];

describe('the list of models', () => {
  const all = [...ids(30, (i) => `opus-${i}`), ...ids(5, (i) => `haiku-${i}`), ...ids(10, (i) => `fable-${i}`)];

  test.each([
    ['', ids(5, (i) => `haiku-${i}`), false],
    ['?limit=2', ['haiku-0', 'haiku-1'], true],
    ['?limit=5', ids(5, (i) => `haiku-${i}`), false],
    ['?limit=2&after_id=haiku-1', ['haiku-2', 'haiku-3'], true],
    ['?limit=2&after_id=haiku-3', ['haiku-4'], false],
    ['?after_id=haiku-4', [], false],
    ['?limit=2&before_id=haiku-3', ['haiku-1', 'haiku-2'], true],
    ['?limit=2&before_id=haiku-2', ['haiku-0', 'haiku-1'], false],
  ])('has for %p only what may be called, and says truly whether there is more', async (query, models, hasMore) => {
    for (const most of [1_000, 7]) {
      expect(shown(await allowedPage(pageRequest(query), isHaiku, upstreamOf(all, most).read))).toEqual([
        models,
        hasMore,
      ]);
    }
  });

  test('can be paged through by its own cursors', async () => {
    const { read } = upstreamOf(all, 3);
    const seen: string[] = [];
    let query = '?limit=2';
    for (let pages = 0; query !== '' && pages < 20; pages++) {
      const page = await allowedPage(pageRequest(query), isHaiku, read);
      seen.push(...page!.data.map(({ id }) => id));
      query = page!.has_more === true ? `?limit=2&after_id=${page!.last_id}` : '';
    }
    expect(query).toBe('');
    expect(seen).toEqual(ids(5, (i) => `haiku-${i}`));
  });

  test('asks the upstream once where its first page is enough, and a few times at most', async () => {
    const once = upstreamOf(all);
    await allowedPage(pageRequest('?limit=2&beta=true'), isHaiku, once.read);
    expect(once.asked).toEqual(['limit=1000&beta=true']);
    const long = upstreamOf(
      ids(100, (i) => `opus-${i}`),
      1,
    );
    const empty = { data: [], has_more: true, first_id: null, last_id: 'opus-7' };
    expect(await allowedPage(pageRequest(''), isHaiku, long.read)).toMatchObject(empty);
    expect(long.asked).toHaveLength(8);
  });

  test('ends where an upstream does not page, and leaves it to the upstream to refuse a limit', async () => {
    const stuck = upstreamOf(all, 3);
    const read = (query: URLSearchParams) => stuck.read(new URLSearchParams({ limit: query.get('limit') ?? '' }));
    const isOpus = (id: string): boolean => id.startsWith('opus');
    expect(shown(await allowedPage(pageRequest(''), isOpus, read))).toEqual([['opus-0', 'opus-1', 'opus-2'], false]);
    const refusing = upstreamOf(all);
    expect(
      await allowedPage(pageRequest('?limit=0'), isHaiku, (query) => refusing.read(query).then(() => null)),
    ).toBeNull();
    expect(refusing.asked).toEqual(['limit=0']);
  });
});
