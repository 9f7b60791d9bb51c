/** What cannot have an effect, as the running operator says it on the resource itself. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { budget, condition, Reader, workspace } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { install, type Installation, SimulatedGateway } from './harness.ts';

const KEY = '  keys: [{ name: api, secretName: checkout-claude, attributes: { feature: search } }]';
const scopedTo = (feature: string) => `workspaceRef: { name: checkout }\n  scope: { features: [${feature}] }`;

let here: Installation;
let read: Reader;
let gateway: SimulatedGateway;

beforeAll(async () => {
  here = await install();
  read = new Reader(here);
  await here.startOperator('operator-1');
  gateway = new SimulatedGateway(here.redis().url, 'gateway-1', read.shards);
  gateway.start();
}, 300_000);

afterAll(async () => {
  await gateway?.stop();
  await here?.stop();
});

/** The Events `Ineffective` of an object: `type: note`. */
async function ineffective(namespace: string, name: string): Promise<string[]> {
  const selector = `reason=Ineffective,involvedObject.name=${name}`;
  const path = '{range .items[*]}{.type}: {.message}{"\\n"}{end}';
  const found = await here.kubectl(
    'get',
    'events',
    '-n',
    namespace,
    '--field-selector',
    selector,
    '-o',
    `jsonpath=${path}`,
  );
  return found.split('\n').filter((line) => line !== '');
}

test('a budget whose scope no key matches says so in Effective and in one Warning Event, and stays ready', async () => {
  const ns = await here.tenant();
  await here.apply(
    workspace(ns, 'checkout', KEY) + budget(ns, 'daily', '25.00', scopedTo('serach')) + budget(ns, 'all'),
  );
  const { status } = await condition(() => read.budget(ns), 'Effective', 'False MatchesNothing');
  const { message } = status!.conditions!.find(({ type }) => type === 'Effective')!;
  expect(message).toContain('no key has the feature "serach". Did you mean "search"?');
  const events = await until(async () => {
    const said = await ineffective(ns, 'daily');
    return said.length > 0 && said;
  });
  expect(events).toEqual([expect.stringMatching(/^Warning: .*no key has the feature "serach"/)]);
  await condition(() => read.budget(ns), 'Ready', 'True Ready');

  await here.apply(budget(ns, 'daily', '25.00', scopedTo('search')));
  await condition(() => read.budget(ns), 'Effective', 'True Effective');
  expect(await ineffective(ns, 'all')).toEqual([]);
}, 240_000);

test('a workspace that allows no model of the price book says so, with the nearest name', async () => {
  const ns = await here.tenant();
  await here.apply(workspace(ns, 'checkout', `${KEY}\n  models: { allow: [sonnet, claude-haiku-*] }`) + budget(ns));
  const { status } = await condition(() => read.workspace(ns), 'Effective', 'False MatchesNothing');
  const { message } = status!.conditions!.find(({ type }) => type === 'Effective')!;
  expect(message).toMatch(/"sonnet".*Did you mean "claude-sonnet/);
  const events = await until(async () => {
    const said = await ineffective(ns, 'checkout');
    return said.length > 0 && said;
  });
  expect(events).toEqual([expect.stringMatching(/^Warning: .*"sonnet"/)]);

  await here.apply(workspace(ns, 'checkout', `${KEY}\n  models: { allow: [claude-sonnet-*, claude-haiku-*] }`));
  await condition(() => read.workspace(ns), 'Effective', 'True Effective');
}, 240_000);
