import { describe, expect, test } from '@jest/globals';
import { UpstreamKeys } from '../../../../gateway/upstream/upstream-keys.ts';
import { workspaceOf } from '../../policy/admit/planned.ts';

const WORKSPACE = workspaceOf();
const REF = `${WORKSPACE.namespace}/${WORKSPACE.name}`;
const MINUTES = 60_000;

function keys() {
  const clock = { ms: 0 };
  return { clock, keys: new UpstreamKeys(() => clock.ms) };
}

describe('the keys that upstreams refuse', () => {
  test('are reported until a call is accepted', () => {
    const { keys: one } = keys();
    expect(one.check(WORKSPACE, 200)).toBeNull();
    expect(one.refused).toEqual([]);
    expect(one.check(WORKSPACE, 401)).toMatchObject({ reason: 'UpstreamKeyRefused' });
    expect(one.refused).toEqual([{ workspace: REF, status: 401 }]);
    for (const unclear of [0, 500, 529]) one.check(WORKSPACE, unclear);
    expect(one.refused).toHaveLength(1);
    one.check(WORKSPACE, 429);
    expect(one.refused).toEqual([]);
  });

  test('are not those that lack one permission and work otherwise', () => {
    const { clock, keys: one } = keys();
    for (const status of [403, 200, 403]) one.check(WORKSPACE, status);
    expect(one.refused).toEqual([]);
    expect(one.check(WORKSPACE, 403)).toMatchObject({ reason: 'UpstreamKeyRefused' });
    one.check({ ...WORKSPACE, upstreamKey: 'sk-ant-other' }, 403);
    expect(one.refused).toHaveLength(1);
    one.check(WORKSPACE, 200);
    clock.ms += 11 * MINUTES;
    one.check(WORKSPACE, 403);
    expect(one.refused).toHaveLength(1);
  });

  test('are forgotten where nothing was refused for a while, and have a bound', () => {
    const { clock, keys: one } = keys();
    for (let i = 0; i < 300; i++) one.check({ ...WORKSPACE, name: `w${i}` }, 401);
    expect(one.refused).toHaveLength(100);
    clock.ms += 11 * MINUTES;
    expect(one.refused).toEqual([]);
  });
});
