import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { table } from '../../../bench/figures.ts';
import { chaos } from './chaos.ts';

const directory = mkdtempSync(join(tmpdir(), 'tollgate-chaos-'));

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('two minutes of kills under load: never over a cap, and every dollar is in the books', async () => {
  const lines: string[] = [];
  const figures = await chaos({ directory, seconds: 90, seed: 1, say: (line) => lines.push(line) });
  const broken = figures.filter(({ holds }) => !holds);
  expect(broken.length === 0 ? '' : `${lines.join('\n')}\n${table(broken)}`).toBe('');
}, 420_000);
