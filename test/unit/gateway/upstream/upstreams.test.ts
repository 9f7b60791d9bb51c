import { expect, test } from '@jest/globals';
import { Upstreams } from '../../../../gateway/upstream/upstreams.ts';
import { upstreamConnector } from '../../../../proxy/connector.ts';
import { NO_PROXY } from '../../../../proxy/proxy-environment.ts';
import { handover, resolved } from '../../../system/gateway/policies.ts';

test('workspaces with different paths at one origin share its connections', async () => {
  const upstreams = new Upstreams(upstreamConnector(NO_PROXY));
  const at = (baseURL: string) => upstreams.of(resolved(handover({ baseURL })).workspace);
  const [one, other, elsewhere] = [at('https://api.test/one/'), at('https://api.test'), at('https://b.test')];
  expect([one.prefix, other.prefix]).toEqual(['/one', '']);
  expect(one.pool).toBe(other.pool);
  expect(elsewhere.pool).not.toBe(one.pool);
  await upstreams.close();
});
