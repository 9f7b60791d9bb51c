import { FULL_BYTES, HEAVY_BODIES } from '../../support/hostile-bodies.ts';
import type { Attack } from './attack.ts';
import type { HostileAnswer } from './hostile-tenant.ts';

/** So many bodies at once on each gateway. */
const AT_ONCE = 3;
/** Where bodies are read; counting tokens needs no money. */
const PATHS = ['/v1/messages', '/v1/messages/count_tokens', '/v1/messages/batches'];

/** Bodies that are expensive to read and cost nothing: each is refused, or served at the price of what is in it. */
export const heavyBodies: Attack = {
  name: 'heavy-bodies',
  threat: 'a body that stalls, fattens or aborts a gateway, also one of a call that costs nothing',
  run: async ({ installation, tenant, random, variants, report }) => {
    const caller = await tenant({ name: 'heavy-bodies', capUsd: '0.50' });
    const allow = '{"spec":{"batches":{"mode":"Allow"}}}';
    await installation.kubectl('patch', 'claudeworkspace', 'app', '-n', 'heavy-bodies', '--type=merge', '-p', allow);
    for (let n = 0; n < variants; n++) {
      const path = random.pick(PATHS);
      const { name, make } = random.pick(HEAVY_BODIES);
      const whole = make(1 + random.below(FULL_BYTES - 1));
      const body = path.endsWith('batches') ? batchOf(whole) : whole;
      const calls = installation.gateways.flatMap((_, gateway) =>
        Array.from({ length: AT_ONCE }, () => caller.send({ path, body }, gateway)),
      );
      for (const answer of await Promise.allSettled(calls)) {
        if (answer.status === 'rejected') report(`${path}, ${name}: no answer: ${String(answer.reason)}`);
        else if (!isExpected(answer.value))
          report(`${path}, ${name}: ${answer.value.status} ${answer.value.text.slice(0, 200)}`);
      }
    }
  },
};

function batchOf(params: Buffer): Buffer {
  return Buffer.concat([Buffer.from('{"requests":[{"custom_id":"a","params":'), params, Buffer.from('}]}')]);
}

/** Served, refused, or without room for the body at the moment. */
function isExpected({ status, text }: HostileAnswer): boolean {
  return status < 500 || (status === 503 && text.includes('TOLLGATE_BODY_MEMORY'));
}
