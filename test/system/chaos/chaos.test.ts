import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { table } from '../../../bench/figures.ts';
import { testSize } from '../../support/test-size.ts';
import { chaos } from './chaos.ts';

const directory = mkdtempSync(join(tmpdir(), 'tollgate-chaos-'));

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('processes are killed under load: never over a cap, and every dollar is accounted for', async () => {
  const lines: string[] = [];
  const figures = await chaos({
    directory,
    seconds: testSize({ short: 48, long: 90 }),
    seed: 1,
    announce: (line) => lines.push(line),
  });
  const broken = figures.filter(({ holds }) => !holds);
  expect(broken.length === 0 ? '' : `${lines.join('\n')}\n${table(broken)}`).toBe('');
}, 420_000);
