/** A real operator beside CRDs and gateways of another version. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { budget, condition, Reader, workspace } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { install, type Installation, Shards, SimulatedGateway } from './harness.ts';

const KEY = '  keys: [{ name: api, secretName: checkout-claude }]';
const CRD = readFileSync(join(import.meta.dirname, '../../../crds/claudebudgets.yaml'), 'utf8');

let here: Installation;
let read: Reader;

beforeAll(async () => {
  here = await install();
  read = new Reader(here);
});

afterAll(async () => {
  await here?.stop();
});

test('an operator with older CRDs exits and names the missing fields, and one that waits starts once they are applied', async () => {
  const path = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/grants';
  const patch = JSON.stringify([{ op: 'remove', path }]);
  await here.kubectl('patch', 'crd', 'claudebudgets.tollgate.dev', '--type=json', '-p', patch);
  const served = async () =>
    (await here.kubectl('get', '--raw', '/openapi/v3/apis/tollgate.dev/v1alpha1')).includes('"grants":');
  await until(async () => !(await served()));
  const started = here.startOperator('operator-old-crds');
  await expect(started).rejects.toThrow(/older than this version: they lack ClaudeBudget\.spec\.grants/);
  // The right CRDs are applied while it waits.
  const waiting = here.startOperator('operator-new-crds');
  await here.apply(CRD);
  await waiting;
});

test('an operator writes no policy that a running gateway cannot read, until that gateway is gone', async () => {
  const old = new SimulatedGateway(here.redis().url, 'gateway-old', new Shards(here));
  old.schema = 0;
  old.start();
  const ns = await here.tenant();
  const { ledger } = old;
  await until(async () => (await ledger.operator.gateways()).some(({ pod }) => pod === 'gateway-old'));
  const before = await until(() => read.shards.shared());
  await here.apply(workspace(ns, 'checkout', KEY));
  await here.apply(budget(ns, 'daily'));
  const said = () => readFileSync(here.logOf('operator-new-crds'), 'utf8');
  await until(() => said().includes('gateway-old cannot read policy of schema'));
  expect((await read.shards.policy(`${ns}/checkout`)).workspaces.has(`${ns}/checkout`)).toBe(false);
  expect((await read.shards.shared()).revision).toBe(before.revision);

  const current = new SimulatedGateway(here.redis().url, 'gateway-new', new Shards(here));
  current.start();
  await old.stop();
  await condition(() => read.workspace(ns), 'Ready', 'True Ready');
  await current.stop();
});
