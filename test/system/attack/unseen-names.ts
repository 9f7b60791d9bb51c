import { budget, waitFor } from '../../../bench/installation.ts';
import type { Attack } from './attack.ts';
import { standInBody } from './stand-in-body.ts';

const NAME = 'unseen-names';
const CUSTOMER = 'x-tollgate-customer';
const SETTLED_WITHIN_MS = 30_000;

/** What a terminal obeys, or a reader does not see. */
const UNSEEN = ['\u009b', '\u0085', '\u202e', '\u2066', '\u200b', '\u200d', '\u2028', '\ufeff', '\u3164', '\u{e0041}'];
/** The same customer in UTF-8, composed and not, and in Latin-1. */
const SPELLINGS = [utf8('M\u00fcller'), utf8('Mu\u0308ller'), 'M\u00fcller'];
const TYPES = [
  'application/json; charset=utf-16',
  'application/json; charset=utf-7',
  'application/json; charset=utf-8; charset=utf-16le',
  'text/plain',
  'multipart/form-data; boundary=a',
];

/** A caller names customers that nobody can tell apart, or that act on the terminal of whoever reads them. */
export const unseenNames: Attack = {
  name: NAME,
  threat:
    'names with control, invisible or turned characters, one customer spelt in many ways, bodies in another charset',
  run: async ({ installation, tenant, random, variants, report }) => {
    const each = budget(NAME, 'each', `per: [customer], limit: { usd: '1.00', totalUsd: '1.00' }`);
    const caller = await tenant({ name: NAME, capUsd: '1.00', budgets: each });
    const answered = async (
      expected: number,
      what: string,
      headers: Readonly<Record<string, string>>,
      behaviour = {},
    ) => {
      const { status, text } = await caller.send({ body: standInBody(behaviour), headers }, random.below(2));
      if (status !== expected) report(`${what} was answered ${status} ${text.slice(0, 200)}`);
    };
    for (const character of UNSEEN) {
      const name = `acme${character}`;
      await answered(400, `the customer ${JSON.stringify(name)}`, { [CUSTOMER]: utf8(name) });
    }
    for (let n = 0; n < variants; n++) {
      const type = random.pick(TYPES);
      await answered(415, `a body of type ${type}`, { 'content-type': type });
      const error = { type: `overloaded${random.pick(UNSEEN)}31m` };
      await answered(529, 'an error of the upstream', {}, { status: 529, error });
    }
    for (const name of SPELLINGS) await answered(200, `the customer ${name}`, { [CUSTOMER]: name });

    let names: readonly unknown[] = [];
    const settled = await waitFor(async () => {
      const { status } = await installation.budget(NAME, 'each');
      names = (status?.top ?? []).flatMap(({ values }) => values);
      return status?.requests === SPELLINGS.length;
    }, SETTLED_WITHIN_MS);
    if (settled === undefined) report('the calls were not counted');
    if (names.join() !== 'M\u00fcller') report(`one customer has the counters of ${JSON.stringify(names)}`);
    for (const process of ['tollgate-gateway-1', 'tollgate-gateway-2', 'tollgate-operator-1', 'tollgate-operator-2']) {
      const found = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.exec(installation.log(process).replaceAll('\n', ''));
      if (found !== null) report(`the log of ${process} has U+${found[0].codePointAt(0)!.toString(16)} in it`);
    }
  },
};

/** As Node's client must be given bytes of UTF-8. */
function utf8(text: string): string {
  return Buffer.from(text).toString('latin1');
}
