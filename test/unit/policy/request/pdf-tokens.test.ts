import { describe, expect, test } from '@jest/globals';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import { ascii, bytes, document, facts, text, withContent } from '../../../support/request-bodies.ts';

describe('documents', () => {
  const pdf = (...parts: string[]): string => ascii('%PDF-1.4\n', ...parts);
  const PAGE = 3000 + 4784;
  const added = (data: string): number =>
    facts(withContent(document(data))).inputTokens - bytes(withContent(document(''))).length;

  test.each([
    ['one page', 1, pdf('<</Type/Pages/Kids[3 0 R]/Count 1>>')],
    ['three pages', 3, pdf('<< /Type /Pages /Kids [ 3 0 R 4 0 R\n5 0 R ] /Count 3 >>')],
    ['branches, which count as well', 4, pdf('/Kids[2 0 R 3 0 R]', '/Kids[7 0 R]', '/Kids [9 0 R]')],
  ])('a PDF of %s counts its pages as text and image', (_, pages, data) => {
    expect(added(data)).toBe(pages * PAGE);
    expect(facts(withContent(document(data)))).toMatchObject({ fillsContext: false, countable: true });
  });

  test.each([
    ['packs its objects', pdf('/Kids[3 0 R]', '<</Type/ObjStm>>')],
    ['packs its objects under a name in escapes', pdf('/Kids[3 0 R]', '<</Type/Obj#53tm>>')],
    ['hides its tree in escapes', pdf('/Ki#64s[3 0 R 4 0 R]')],
    ['writes no references into its tree', pdf('/Kids[1 1 1 1 1 R]')],
    ['has more pages than any request', pdf(`/Kids[${'3 0 R '.repeat(4000)}]`)],
    ['is encrypted', pdf('/Kids[3 0 R]', '/Encrypt 5 0 R')],
    ['hangs a page in twice', pdf('/Kids[3 0 R 3 0 R]')],
    ['hangs a branch in twice', pdf('/Kids[3 0 R 4 0 R]', '/Kids[03 0 R]')],
    ['keeps its tree elsewhere', pdf('/Kids 5 0 R')],
    ['writes something into its tree', pdf('/Kids[3 0 R %\n4 0 R]')],
    ['has no tree', pdf('nothing')],
    ['is none', ascii('/Kids[3 0 R]')],
    ['is not base64', '%%%%'],
    ['is too large to look through', pdf('/Kids[3 0 R]', ' '.repeat(3 * 1024 * 1024 + 3))],
  ])('a PDF that %s fills the context', (_, data) => {
    expect(added(data)).toBe(0);
    expect(facts(withContent(document(data)))).toMatchObject({ fillsContext: true, countable: true });
  });

  test.each<[string, object, Partial<RequestFacts>]>([
    ['that is text', { source: { type: 'text', media_type: 'text/plain', data: 'abc' } }, { fillsContext: false }],
    ['of parts', { source: { type: 'content', content: [text] }, title: 't', context: 'c' }, { fillsContext: false }],
    ['by URL', { source: { type: 'url', url: 'https://a.example' } }, { fillsContext: true, countable: false }],
    ['of the file store', { source: { type: 'file', file_id: 'f' } }, { fillsContext: true, countable: false }],
    [
      'whose sentences are marked to be cited',
      { source: { type: 'text', media_type: 'text/plain', data: 'abc' }, citations: { enabled: true } },
      { fillsContext: true, countable: true },
    ],
  ])('a document %s', (_, part, expected) => {
    const body = withContent({ type: 'document', ...part });
    expect(facts(body)).toMatchObject({ inputTokens: bytes(body).length, ...expected });
  });
});
