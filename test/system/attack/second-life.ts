import { setTimeout as sleep } from 'node:timers/promises';
import { budget, type Installation } from '../../../bench/installation.ts';
import type { Attack } from './attack.ts';
import type { HostileTenant } from './hostile-tenant.ts';

const NAME = 'second-life';
const BATCHES = '/v1/messages/batches';
/** How long an edit may take to be enforced. Milliseconds. */
const ENFORCED_WITHIN_MS = 30_000;
const PAUSE_MS = 100;

const BATCH = JSON.stringify({
  requests: [
    {
      custom_id: 'a',
      params: {
        model: 'claude-sonnet-5-5',
        max_tokens: 10,
        messages: [{ role: 'user', content: 'the secret of the first tenant' }],
      },
    },
  ],
});

/** A tenant takes the name that another one gave up, with the same upstream key, and asks for its batches. */
export const secondLife: Attack = {
  name: NAME,
  threat: 'a namespace or workspace made again under a deleted name reads what the one before left',
  run: async ({ installation, tenant, report }) => {
    const first = await tenant({ name: NAME, capUsd: '1.00' });
    await allowBatches(installation);
    const { id } = JSON.parse((await eventually(first, { body: BATCH, path: BATCHES })).text) as { id: string };
    if ((await first.send({ method: 'GET', path: `${BATCHES}/${id}` })).status !== 200)
      report('the owner has no batch');

    await installation.kubectl('delete', 'claudeworkspace', 'app', '-n', NAME);
    await installation.kubectl('delete', 'claudebudget', 'cap', '-n', NAME);
    await refused(first, id);
    const second = await tenant({
      name: NAME,
      capUsd: '1.00',
      budgets: budget(NAME, 'more', `limit: { usd: '1.00' }`),
    });
    await allowBatches(installation);
    const { id: own } = JSON.parse((await eventually(second, { body: BATCH, path: BATCHES })).text) as { id: string };

    for (const [method, path] of [
      ['GET', `${BATCHES}/${id}`],
      ['GET', `${BATCHES}/${id}/results`],
      ['POST', `${BATCHES}/${id}/cancel`],
      ['GET', `${BATCHES}?after_id=${id}`],
    ] as const) {
      const { status } = await second.send({ method, path });
      if (status !== 404) report(`${method} ${path} was answered ${status}`);
    }
    const list = await second.send({ method: 'GET', path: BATCHES });
    const ids = (JSON.parse(list.text) as { data: { id: string }[] }).data.map((one) => one.id);
    if (ids.includes(id)) report('the list has a batch of the workspace before');
    if (!ids.includes(own)) report('the list lacks its own batch');
  },
};

function allowBatches(installation: Installation): Promise<string> {
  const patch = JSON.stringify({ spec: { batches: { mode: 'Allow' } } });
  return installation.kubectl('patch', 'claudeworkspace', 'app', '-n', NAME, '--type=merge', '-p', patch);
}

/** Sends until the answer is 200. */
async function eventually(tenant: HostileTenant, request: Parameters<HostileTenant['send']>[0]) {
  for (let waited = 0; ; waited += PAUSE_MS) {
    const answer = await tenant.send(request);
    if (answer.status === 200) return answer;
    if (waited >= ENFORCED_WITHIN_MS) throw new Error(`still ${answer.status} ${answer.text}`);
    await sleep(PAUSE_MS);
  }
}

/** Resolves when the key of a deleted workspace is refused. */
async function refused(tenant: HostileTenant, id: string): Promise<void> {
  for (let waited = 0; waited < ENFORCED_WITHIN_MS; waited += PAUSE_MS) {
    if ((await tenant.send({ method: 'GET', path: `${BATCHES}/${id}` })).status === 401) return;
    await sleep(PAUSE_MS);
  }
  throw new Error('the key of the deleted workspace is still served');
}
