import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { testSize } from '../../support/test-size.ts';
import { runAttacks } from './run-attacks.ts';

const directory = mkdtempSync(join(tmpdir(), 'tollgate-attack-'));

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('no attack gets over a cap, ends a process, or reaches another tenant', async () => {
  const lines: string[] = [];
  const { violations } = await runAttacks({
    directory,
    seed: 1,
    variants: testSize({ short: 4, long: 40 }),
    announce: (line) => lines.push(line),
  });
  expect(violations.length === 0 ? '' : [...lines, ...violations].join('\n')).toBe('');
}, 600_000);
