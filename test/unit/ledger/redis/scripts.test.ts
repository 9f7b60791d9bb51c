import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { scripts } from '../../../../ledger/redis/scripts.ts';

test.each(Object.entries(scripts))('script %s uses no constant that it does not have', (_name, { source }) => {
  const code = source.replaceAll(/--.*$/gm, '').replaceAll(/'[^'\n]*'|"[^"\n]*"/g, '');
  const used = new Set(code.match(/\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)*\b/g));
  const defined = new Set(
    [...code.matchAll(/\blocal ([A-Z][A-Z0-9_, ]*) =/g)].flatMap(([, names]) => names!.split(', ')),
  );
  const given = ['KEYS', 'ARGV'];
  expect([...used].filter((name) => !defined.has(name) && !given.includes(name))).toEqual([]);
});

const FOLDER = join(import.meta.dirname, '../../../../ledger/redis/scripts/shared');
const functionsIn = (text: string): string[] => [...text.matchAll(/^local function (\w+)/gm)].map(([, name]) => name!);
const shared = readdirSync(FOLDER).flatMap((file) => functionsIn(readFileSync(join(FOLDER, file), 'utf8')));

test.each(Object.entries(scripts))('script %s has exactly the shared functions that it calls', (_name, { source }) => {
  const code = source.replaceAll(/^local function \w+/gm, '');
  const called = new Set([...code.matchAll(/(?<![.:\w])(\w+)\(/g)].map(([, name]) => name!));
  const wanted = shared.filter((name) => called.has(name));
  const given = functionsIn(source).filter((name) => shared.includes(name));
  expect(given.toSorted()).toEqual(wanted.toSorted());
});
