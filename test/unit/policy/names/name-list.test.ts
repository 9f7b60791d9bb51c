import { describe, expect, test } from '@jest/globals';
import {
  NAMES_FILE,
  readNameList,
  SHIPPED_NAMES,
  SHIPPED_NAMES_TEXT,
  storedNames,
} from '../../../../policy/names/name-list.ts';

describe('the file of names', () => {
  test('that is shipped is valid, and has what clients of today send', () => {
    expect(NAMES_FILE.problemOf(JSON.parse(SHIPPED_NAMES_TEXT))).toBeNull();
    const { isHarmless } = SHIPPED_NAMES;
    for (const name of ['safeguards', 'system[].cache_control.scope', 'anthropic-beta=dangerous-tool-use-2026-09-03']) {
      expect([name, isHarmless(name)]).toEqual([name, true]);
    }
    for (const name of ['messages[].safeguards', 'scope', 'anthropic-beta=dangerous-tool-use-2099-09-03']) {
      expect([name, isHarmless(name)]).toEqual([name, false]);
    }
  });

  test.each<[unknown, string]>([
    [{ harmless: [] }, 'version'],
    [{ version: '1', harmless: ['*'] }, 'harmless[0]'],
    [{ version: '1', harmless: ['a*b'] }, 'harmless[0]'],
    [{ version: '1', harmless: ['a b'] }, 'harmless[0]'],
    [{ version: '1', harmless: 'safeguards' }, 'harmless'],
    [{ version: '1', harmless: [], exceeded: [] }, 'exceeded'],
  ])('%j is not valid, and the sentence says where', (file, where) => {
    expect(NAMES_FILE.problemOf(file)).toContain(where);
  });

  test('keeps what exceeded its bound until a person lists it', () => {
    const file = (...harmless: string[]) => JSON.stringify({ version: '1', harmless });
    const first = readNameList(JSON.parse(storedNames(file(), ['dream', 'sleep', 'dream'])));
    expect([...first.exceeded]).toEqual(['dream', 'sleep']);
    expect([...readNameList(JSON.parse(storedNames(file('dream'), first.exceeded))).exceeded]).toEqual(['sleep']);
  });
});
