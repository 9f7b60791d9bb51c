import { expect, test } from '@jest/globals';
import type { ConfigMap } from '../../../../kube/kinds.ts';
import { OwnFile } from '../../../../operator/policy/own-file.ts';
import { NAMES_FILE } from '../../../../policy/names/name-list.ts';

const own = (text: string): ConfigMap => ({ metadata: { name: 'tollgate-names' }, data: { 'names.json': text } });

test('a valid file replaces the shipped one, an invalid one keeps the last in force, and without one the shipped is back', () => {
  const shipped = '{"version":"1","harmless":[]}';
  const file = new OwnFile(NAMES_FILE, shipped);
  const mine = '{"version":"2","harmless":["dream"]}';
  file.take(own(mine));
  expect([file.current, file.problem]).toEqual([{ text: mine, fallback: false }, undefined]);
  file.take(own('{"version":"3","harmless":[5]}'));
  expect(file.current).toEqual({ text: shipped, fallback: true });
  expect(file.problem).toMatch(
    /^names\.json is not used: .*harmless\[0\] is 5: .* The last accepted list stays in force\.$/,
  );
  file.take(own('{'));
  expect(file.problem).toContain('it is not JSON');
  file.take({ metadata: { name: 'tollgate-names' } });
  expect(file.problem).toContain('has no entry names.json');
  file.take(undefined);
  expect([file.current, file.problem]).toEqual([{ text: shipped, fallback: false }, undefined]);
});
