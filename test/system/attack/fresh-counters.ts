import { spanning } from '../../../bench/installation.ts';
import { formatUsd, nano, parseUsd } from '../../../policy/core/money.ts';
import type { Attack } from './attack.ts';
import { standInBody } from './stand-in-body.ts';

const NAME = 'fresh-counters';
const TOTAL_USD = '0.06';
/** Calls between two edits of the workspace. */
const CALLS = 6;
/** An answer of a thousand tokens: four of them fill the spanning budget. */
const BODY = standInBody({ usage: { output_tokens: 1_000 } }, { max_tokens: 1_000 });

/** A spanning budget counts by department, and a tenant says of its own calls which department they are of. */
export const freshCounters: Attack = {
  name: NAME,
  threat: 'a tenant leaves a spanning budget, or opens fresh counters in it, by attributes of its keys and headers',
  run: async ({ installation, tenant, random, variants, report }) => {
    const spec = `per: [department]\n  limit: { usd: '0.02', totalUsd: '${TOTAL_USD}' }`;
    const caller = await tenant({ name: NAME, capUsd: '5.00', budgets: spanning(NAME, NAME, spec) });
    let answered = 0;
    for (let n = 0; n < variants; n++) {
      const attributes = { department: `d${n}`, [random.pick(['feature', 'customer', 'user', 'team'])]: `v${n}` };
      const key = { name: 'app', secretName: 'app-claude', attributes, priority: 'Critical' };
      const patch = JSON.stringify({ spec: { attributes, keys: [key] } });
      await installation.kubectl('patch', 'claudeworkspace', 'app', '-n', NAME, '--type=merge', '-p', patch);
      const claims = { 'x-tollgate-feature': `f${n}`, 'x-tollgate-customer': `c${n}`, 'x-department': `h${n}` };
      const calls = Array.from({ length: CALLS }, (_, index) => caller.send({ headers: claims, body: BODY }, index));
      for (const { status } of await Promise.all(calls)) if (status === 200) answered += 1;
    }
    const { nano: owed } = await installation.owed(caller.team);
    if (answered === 0) report('no call was answered');
    if (owed > parseUsd(TOTAL_USD))
      report(`$${formatUsd(nano(owed))} was charged of a spanning total of $${TOTAL_USD}`);
  },
};
