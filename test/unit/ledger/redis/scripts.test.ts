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
