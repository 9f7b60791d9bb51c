/** What the documentation promises of itself: links lead somewhere, and what needs a page has one. */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { withImports } from '../../../hack/generate/rooms.ts';
import { condition, conditionReasons, type ConditionType, hasRunbook } from '../../../policy/core/conditions.ts';
import { parsePriceBook } from '../../../policy/prices/price-book-file.ts';
import { retiredOn } from '../../../policy/prices/price-book.ts';
import { pages } from './shell-blocks.ts';

const root = join(import.meta.dirname, '../../..');
const runbooks = join(root, 'docs/runbooks/conditions');

const reasons = (Object.keys(conditionReasons) as ConditionType[]).flatMap((type) =>
  Object.entries(conditionReasons[type]).map(([reason, row]) => ({ type, reason, row })),
);

/** The relative links of a page, without the part of the page that they lead to. Code has none. */
function linksOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8')
    .replaceAll(/^```.*?^```/gms, '')
    .replaceAll(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target.split('#')[0]!)
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target));
}

test('every link leads to a file', () => {
  const dead = pages.flatMap((page) =>
    linksOf(page)
      .filter((target) => !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(pages.length).toBeGreaterThan(40);
  expect(dead).toEqual([]);
});

/** Files of the repository that a page names in code, such as `gateway/main.ts`; patterns and placeholders are left out. */
function filesNamedIn(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const named = /`((?:[a-z0-9-]+\/)+[\w.-]+\.(?:ts|lua|sql|sh|yaml|tpl|json|md|py))`/g;
  return [...text.matchAll(named)].map(([, file]) => file!);
}

/** The arguments of each `npm test -- …` of a page that are paths. */
function testsNamedIn(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const commands = [...text.matchAll(/npm test -- ([^`\n|]*)/g)].map(([, rest]) => rest!.split(' -t ')[0]!);
  return commands.flatMap((rest) => rest.split(/\s+/).filter((argument) => argument.startsWith('test/')));
}

test('every file that a page names exists', () => {
  const held = pages.filter((page) => !/^docs\/decisions\/00(?!25)|CHANGELOG/.test(page));
  const missing = held.flatMap((page) =>
    filesNamedIn(page)
      .filter((file) =>
        /^(?:bin|charts|cli|config|crds|docs|examples|gateway|hack|kube|ledger|log|metrics|operator|policy|telemetry|test)\//.test(
          file,
        ),
      )
      .filter((file) => !existsSync(join(root, file)))
      .map((file) => `${page}: ${file}`),
  );
  expect(filesNamedIn('docs/explanation/architecture.md').length).toBeGreaterThan(15);
  expect(missing).toEqual([]);
});

test('no command or example calls a model that Anthropic has retired', () => {
  const book = parsePriceBook(JSON.parse(readFileSync(join(root, 'policy/prices/prices.json'), 'utf8')));
  const code = [
    ...pages.map((page) => [
      page,
      [...readFileSync(join(root, page), 'utf8').matchAll(/^ *```.*?^ *```/gms)].join('\n'),
    ]),
    ...globSync('examples/**/*.yaml', { cwd: root }).map((file) => [file, readFileSync(join(root, file), 'utf8')]),
  ];
  const named = code.flatMap(([place, text]) =>
    [...text!.matchAll(/claude-[a-z0-9][a-z0-9.-]*\d/g)].map(([model]) => ({ place, model })),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(({ model }) => retiredOn(book, model) !== null)).toEqual([]);
});

test('every test that a page names exists', () => {
  const files = globSync('test/**/*.test.ts', { cwd: root });
  const named = pages.flatMap((page) => testsNamedIn(page).map((path) => ({ page, path })));
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter(({ path }) => !files.some((file) => file.startsWith(path)))).toEqual([]);
});

test('the architecture has a line for each room, with what it may import', () => {
  const page = readFileSync(join(root, 'docs/explanation/architecture.md'), 'utf8');
  expect(withImports(page)).toBe(page);
  const without = page.replace(/^\| `policy\/core` .*\n/m, '');
  expect(() => withImports(without)).toThrow('missing: policy/core');
});

describe('the runbooks of conditions', () => {
  const asked = new Set(reasons.filter(({ type, row }) => hasRunbook(type, row)).map(({ reason }) => reason));

  test('there is one for each reason that needs a person, and no other', () => {
    const written = globSync('*.md', { cwd: runbooks }).map((file) => file.replace('.md', ''));
    expect(new Set(written)).toEqual(new Set([...asked, 'README']));
    expect(asked.size).toBeGreaterThan(20);
  });

  test.each([...asked])('%s says what it means and what to do', (reason) => {
    const page = readFileSync(join(runbooks, `${reason}.md`), 'utf8');
    expect(page).toMatch(new RegExp(`^# ${reason}\n\\S[^]+\n## What to do\n\\S`));
  });

  test('its address is in the message of the condition, however long that is', () => {
    for (const { type, reason, row } of reasons) {
      for (const message of ['It is so.', 'long '.repeat(2000)]) {
        const made = condition(type, { reason: reason as never, message }, 1, 0, []);
        expect(made.message.length).toBeLessThanOrEqual(4096);
        expect(made.message.endsWith(`/docs/runbooks/conditions/${reason}.md`)).toBe(hasRunbook(type, row));
      }
    }
  });
});
