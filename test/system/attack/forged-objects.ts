import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../../bench/installation.ts';
import type { Attack } from './attack.ts';

const NAME = 'forged-objects';
const VICTIM = 'neighbour';
/** What the operator would have done by then. Milliseconds. */
const NOTICED_MS = 2_000;
const REPAIRED_WITHIN_MS = 15_000;

const BODY = JSON.stringify({
  model: 'claude-sonnet-5-5',
  max_tokens: 10,
  messages: [{ role: 'user', content: 'Hello' }],
});

/** A tenant makes objects that claim to be another's, and edits what the operator says of its budget. */
export const forgedObjects: Attack = {
  name: NAME,
  threat: 'Secrets that name the workspace of another namespace as their owner, and patched statuses',
  run: async ({ installation, tenant, variants, report }) => {
    const caller = await tenant({ name: NAME, capUsd: '1.00' });
    const uid = await installation.kubectl(
      'get',
      'claudeworkspace',
      'app',
      '-n',
      VICTIM,
      '-o',
      'jsonpath={.metadata.uid}',
    );
    const keys = Array.from({ length: 2 * variants }, () => `sk-tollgate-${randomBytes(32).toString('base64url')}`);
    await installation.apply(keys.map((key, n) => forgedSecret(`forged-${n}`, uid, key)).join('---\n'));
    // The neighbour's next edit has the operator look at its Secrets.
    const edit = JSON.stringify({ spec: { refusal: { message: 'Ask us.' } } });
    await installation.kubectl('patch', 'claudeworkspace', 'app', '-n', VICTIM, '--type=merge', '-p', edit);
    await sleep(NOTICED_MS);
    for (const key of keys) {
      const { status } = await caller.send({ body: BODY, headers: { 'x-api-key': key } });
      if (status !== 401) report(`a key in a forged Secret was answered ${status}`);
    }
    const events = await installation.kubectl('get', 'events.events.k8s.io', '-n', VICTIM, '-o', 'jsonpath={..note}');
    if (events.includes('forged-')) report(`an Event of the neighbour tells of a forged Secret: ${events}`);

    await caller.send({ body: BODY });
    const spent = async () => (await installation.budget(NAME, 'cap')).status?.spentUsd;
    await waitFor(async () => !['0.00', undefined].includes(await spent()), REPAIRED_WITHIN_MS);
    const shown = await spent();
    for (const spentUsd of ['0.00', '99999999999999999999']) {
      const patch = JSON.stringify({ status: { spentUsd, top: [{ values: ['acme'], spentUsd: '9.00' }] } });
      const path = ['claudebudget', 'cap', '-n', NAME, '--subresource=status', '--type=merge', '-p', patch];
      await installation.kubectl('patch', ...path);
      const repaired = await waitFor(async () => {
        const { status } = await installation.budget(NAME, 'cap');
        return status?.spentUsd === shown && status?.top === undefined;
      }, REPAIRED_WITHIN_MS);
      if (repaired === undefined) report(`a status patched to ${spentUsd} was not repaired`);
    }
  },
};

function forgedSecret(name: string, uid: string, key: string): string {
  return `
apiVersion: v1
kind: Secret
metadata:
  name: ${name}
  namespace: ${NAME}
  labels: { tollgate.dev/workspace: app, tollgate.dev/key: ${name} }
  ownerReferences: [{ apiVersion: tollgate.dev/v1alpha1, kind: ClaudeWorkspace, name: app, uid: ${uid}, controller: true }]
type: tollgate.dev/key
stringData: { ANTHROPIC_API_KEY: ${key}, ANTHROPIC_BASE_URL: 'http://elsewhere' }
`;
}
