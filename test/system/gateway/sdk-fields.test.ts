import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseUsd } from '../../../policy/core/money.ts';
import { testSize } from '../../support/test-size.ts';
import { BLOCKS, TOOLS, VALUES } from '../../unit/policy/request/sdk-types.ts';
import { REQUIRED, withNulls } from '../../unit/policy/request/with-nulls.ts';
import { settled, useGateways } from './fixture.ts';
import { ask, errorOf } from './harness.ts';
import { budget } from './policies.ts';

const env = useGateways();
const { books, gatewayWith, received } = env;
const ABSENT = Symbol('absent');

/** One of the values, or of the same with a field inside set to null. */
const oneOf = (values: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.constantFrom(...values.flatMap((value) => [value, ...withNulls(value)]));

const first = (cases: readonly (readonly [unknown, unknown])[]): unknown[] => cases.map(([value]) => value);
const blocks = oneOf(first(Object.values(BLOCKS).flat()));
const tools = oneOf(first(Object.values(TOOLS)));

/** The fields of the SDK: each absent, null, or with one of its values. */
const FIELDS = fc.record(
  Object.fromEntries(
    Object.entries(VALUES).map(([name, cases]) => {
      const values = oneOf(first(cases));
      return [
        name,
        REQUIRED.has(name)
          ? values
          : fc.oneof({ weight: 3, arbitrary: fc.constant(ABSENT) }, fc.constant(null), values),
      ];
    }),
  ),
);

const CONTENT = fc.record({ blocks: fc.array(blocks, { maxLength: 3 }), tools: fc.array(tools, { maxLength: 3 }) });

/** The ways in which clients write the same JSON. */
const WRITTEN = fc.record({
  space: fc.constantFrom('', ' ', '\t'),
  end: fc.constantFrom('', '\n', ' \r\n'),
  modelAt: fc.nat(),
});

const BODIES = fc
  .tuple(FIELDS, CONTENT, WRITTEN, fc.string({ unit: 'grapheme' }))
  .map(([{ model, ...fields }, content, written, text]) => {
    const said = [{ type: 'text', text: `x${text}` }, ...content.blocks];
    const changed = {
      ...fields,
      ...(content.blocks.length > 0 ? { messages: [{ role: 'user', content: said }] } : {}),
      ...(content.tools.length > 0 ? { tools: content.tools } : {}),
    };
    const given = Object.entries<unknown>(changed).filter(([, value]) => value !== ABSENT);
    // Where the model stands is the client's to say.
    given.splice(written.modelAt % (given.length + 1), 0, ['model', model]);
    return JSON.stringify(Object.fromEntries(given), null, written.space) + written.end;
  });

const BETAS = fc.array(
  fc.constantFrom(
    'context-1m-2025-08-07',
    'message-threads-2026-08-12',
    'interleaved-thinking-2025-05-14',
    'new-2027-01-01',
  ),
  { maxLength: 3 },
);

/** Words that say little of where they stand. */
const COMMON = new Set(['type', 'text', 'name', 'role', 'model', 'content']);

/** Whether a refusal is the caller's to mend, and says by what: a field or a beta of its call. */
function isExplained({ status, message }: { status: number; message: string }, body: string, betas: readonly string[]) {
  const fields = [...body.matchAll(/"(\w+)"\s*:/g)].map(([, name]) => name!);
  const names = [...fields.filter((name) => !COMMON.has(name)), ...betas];
  return status >= 400 && status < 500 && names.some((name) => message.includes(name));
}

test('every field of the SDK, absent, null or with a value, goes up byte for byte or is refused with its reason', async () => {
  const large = budget('daily', '1000000.00', { toleranceNano: parseUsd('100000.00') });
  const gateway = await gatewayWith({
    budgets: [large],
    rest: { unknownFields: 'Forward', guards: { unboundedRequestNano: parseUsd('10.00') } },
  });
  const seen = { sent: 0, refused: 0 };
  const check = async (body: string, betas: readonly string[]): Promise<void> => {
    received.length = 0;
    const headers: Record<string, string> = betas.length === 0 ? {} : { 'anthropic-beta': betas.join(',') };
    const answer = await ask(gateway.url, { body, headers });
    const [up] = received;
    seen[up === undefined ? 'refused' : 'sent'] += 1;
    if (up === undefined) {
      const refusal = { status: answer.status, message: errorOf(answer).message };
      if (!isExplained(refusal, body, betas)) throw new Error(`${refusal.status}: ${refusal.message}`);
    } else if (up.body.toString() !== body || up.headers['anthropic-beta'] !== headers['anthropic-beta']) {
      throw new Error(`it went up as ${up.body.toString()}`);
    }
  };
  await fc.assert(fc.asyncProperty(BODIES, BETAS, check), { numRuns: testSize({ short: 300, long: 5_000 }) });
  expect(seen.sent).toBeGreaterThan(seen.refused);
  // The time of code execution is estimated.
  expect((await settled(gateway, large)).spentNano).toBeGreaterThanOrEqual(books());
});
