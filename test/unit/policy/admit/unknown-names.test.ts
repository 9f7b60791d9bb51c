import { describe, expect, test } from '@jest/globals';
import { budgetRefusal } from '../../../../policy/admit/budget-refusal.ts';
import { Caller } from '../../../../policy/admit/caller.ts';
import { refusalBody } from '../../../../policy/admit/refusal-response.ts';
import type { Verdict } from '../../../../policy/core/counter-check.ts';
import { nano } from '../../../../policy/core/money.ts';
import { SHIPPED_NAMES } from '../../../../policy/names/name-list.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { readRequest, type RequestFacts } from '../../../../policy/request/request.ts';
import { budgetOf } from '../../../support/budget.ts';
import { bytes, plain } from '../../../support/request-bodies.ts';
import { NOW } from '../compile/stored.ts';
import * as plans from './planned.ts';
import type { Asked } from './planned.ts';

const SONNET = { ...plain, model: 'claude-sonnet-5-5' };

const factsOf = (part: object, betas: readonly string[] = []): RequestFacts => {
  const read = readRequest(bytes({ ...SONNET, ...part }), betas);
  if (!read.ok) throw new Error(read.error.message);
  return read.value;
};

const prices = parsePriceBook(published);
const atList = (asked: Asked): Asked => ({ ...asked, workspace: { prices, ...asked.workspace } });
const planned = (asked: Asked) => plans.planned(atList(asked));
const admitted = (asked: Asked) => plans.admitted(atList(asked));
const refused = (asked: Asked) => plans.refused(atList(asked));

describe('a name that nobody knows', () => {
  test('is reserved at the highest bound of its model, also in a budget without tolerance', () => {
    // A million tokens, written for an hour in a region, and 128,000 of output.
    const nanoDollars = (1_000_000n * 4_000n * 11n) / 10n + (128_000n * 10_000n * 11n) / 10n;
    expect(admitted({ facts: factsOf({ dream: 1 }) }).worstNano).toBe(nanoDollars);
    expect(admitted({ facts: factsOf({}, ['dreams-2027-01-01']) }).worstNano).toBe(nanoDollars);
  });

  test('costs fast mode where the model has it, and the discount of a batch is not counted on', () => {
    const opus = factsOf({ model: 'claude-opus-5-5', dream: 1 });
    const fast = (1_000_000n * 16_000n * 11n) / 10n + (128_000n * 40_000n * 11n) / 10n;
    expect(admitted({ facts: opus }).worstNano).toBe(fast);
    expect(admitted({ facts: { ...opus, batch: true } }).worstNano).toBe(fast);
  });

  test('costs nothing of its own where it is listed as harmless', () => {
    const listed = factsOf(
      { safeguards: [{ type: 'dangerous_tool_use' }], cache_control: { type: 'ephemeral', scope: 'global' } },
      ['dangerous-tool-use-2026-09-03', 'prompt-caching-scope-2026-01-05'],
    );
    expect(listed.unknown).toHaveLength(4);
    const { facts, worstNano } = admitted({ facts: listed });
    expect(facts.unknown).toEqual([]);
    expect(worstNano).toBeLessThan(nano(10_000_000n));
  });

  const refusing = { unknownFields: 'Refuse' } as const;
  const exceeded = { names: { ...SHIPPED_NAMES, exceeded: new Set(['dream']) } };
  test.each<[string, Asked, readonly string[]]>([
    [
      'where the workspace refuses them',
      { facts: factsOf({ dream: 1 }), workspace: refusing },
      ['Unsupported: ', 'dream', '$5.81', 'ConfigMap tollgate-names', 'unknownFields: Forward'],
    ],
    [
      'if it may choose a model',
      { facts: factsOf({ fallback_model: 'x' }) },
      ['Unsupported: ', 'fallback_model', 'payer, workspace, tier or model', 'ConfigMap tollgate-names'],
    ],
    [
      'after a call with it cost more than its bound',
      { facts: factsOf({ dream: 1 }), workspace: exceeded },
      ['Unsupported: ', 'dream', 'cost more than its highest bound', 'ConfigMap tollgate-names'],
    ],
    [
      'if it may bring what is not in the body',
      { facts: factsOf({ dream: { server: 'x' } }) },
      ['Unbounded: ', 'dream', 'guards.unboundedRequestUsd'],
    ],
    [
      'as a tool, which Anthropic may run',
      { facts: factsOf({ tools: [{ type: 'dream_20270101', name: 'd' }] }) },
      ['Unbounded: ', 'tools[0].type dream_20270101', 'guards.unboundedRequestUsd'],
    ],
    [
      'above the limit of a request',
      { facts: factsOf({ dream: 1 }), workspace: { guards: { maxRequestNano: nano(1_000_000_000n) } } },
      [
        'RequestTooExpensive: ',
        '(guards.maxRequestUsd). Up to $5.81 is set aside',
        'dream',
        'ConfigMap tollgate-names',
      ],
    ],
  ])('is refused %s', (_, asked, parts) => {
    for (const part of parts) expect(refused(asked)).toContain(part);
  });

  test('is served without a bound where the workspace has a figure for it and the budget a tolerance', () => {
    const guards = { unboundedRequestNano: nano(9_000_000_000n) };
    const facts = factsOf({ dream: { server: 'x' } });
    expect(refused({ facts, workspace: { guards } })).toContain('Unbounded: ');
    const budgets = [{ toleranceNano: nano(1n) }];
    expect(admitted({ facts, workspace: { guards }, budgets }).worstNano).toBe(9_000_000_000n);
  });
});

describe('a call without room because of a name that nobody knows', () => {
  /** `left` of a limit of $10, in nano-dollars. */
  const refusalOf = (part: object, left: bigint, verdict: Verdict = 'tooLarge', limitNano = 10_000_000_000n) => {
    const workspace = plans.workspaceOf({ prices, budgets: [budgetOf({ limitNano: nano(limitNano) })] });
    const amount = nano(limitNano - left);
    const amounts = { spentNano: amount, certainNano: amount, committedNano: amount };
    const failure = { check: 0, ofTotal: false, verdict, ...amounts };
    const call = plans.admitted({ workspace, facts: factsOf({ dream: 1, ...part }) });
    return budgetRefusal(call, [failure], new Caller(workspace, plans.keyOf()), NOW);
  };
  const WAYS_OUT =
    'Up to $5.81 is set aside because Tollgate does not know dream: leave it out, or have it listed as harmless by the platform team (ConfigMap tollgate-names) if it costs nothing of its own.';

  test('is told the cause first, the names, and nothing that cannot help', () => {
    const refusal = refusalOf({}, 490_000_001n);
    expect(refusal.message).toContain(
      `Daily budget of $10.00 cannot hold this call (payments/checkout-daily). ${WAYS_OUT} $0.49 is left. Current spend: $9.50`,
    );
    expect(JSON.parse(refusalBody(refusal, 'req_1')).error.details).toMatchObject({
      unknown: ['dream'],
      worst_case: '5.808000',
      remaining: '0.490000001',
    });
  });

  test('is told what else must change where leaving it out is not enough', () => {
    expect(refusalOf({ max_tokens: 100_000 }, 490_000_000n).message).toMatch(
      /own\. Without it the call must still be smaller: lower max_tokens to \d+, or shorten the prompt\. \$0\.49 is left/,
    );
  });

  test('is told of the name also where the budget is spent, if the call fits without it', () => {
    expect(refusalOf({}, 490_000_000n, 'spent').message).toContain(WAYS_OUT);
    expect(refusalOf({}, 0n, 'spent').message).not.toContain('dream');
    expect(refusalOf({}, 0n, 'spent', 1_000_000_000n).message).toContain(`even with nothing spent. ${WAYS_OUT}`);
  });

  test('has the names in the details above the limit of a request too', () => {
    const guards = { maxRequestNano: nano(1_000_000_000n) };
    const answer = planned({ facts: factsOf({ dream: 1 }), workspace: { guards } });
    const error = answer.ok ? null : JSON.parse(refusalBody(answer.error, 'req_1')).error;
    expect(error).toMatchObject({ details: { unknown: ['dream'] } });
    expect(error.message).not.toContain('max_tokens');
  });
});

describe('a refused capability', () => {
  const refusal = (asked: Asked) => {
    const answer = planned(asked);
    return answer.ok ? null : answer.error;
  };

  test('of a thread names its beta and the code by which Claude Code sends the whole conversation', () => {
    const facts = factsOf({ thread: { type: 'continue', previous_message_id: 'm' } }, ['message-threads-2026-08-12']);
    const guards = { unboundedRequestNano: nano(1n) };
    for (const workspace of [{}, { guards }]) {
      expect(refusal({ facts, workspace })).toMatchObject({
        reason: 'Unbounded',
        errorCode: 'thread_unsupported_request',
        message: expect.stringContaining('capability_rejected: beta_header:message-threads-2026-08-12)') as unknown,
      });
    }
  });

  test('of an unknown beta names it, and no other', () => {
    const facts = factsOf({}, ['dreams-2027-01-01', 'effort-2025-11-24']);
    const message = refusal({ facts, workspace: { unknownFields: 'Refuse' } })!.message;
    expect(message).toContain('(capability_rejected: beta_header:dreams-2027-01-01)');
    expect(message).not.toContain('effort');
  });

  test('without a tool says nothing of max_uses', () => {
    const { message } = refusal({ facts: factsOf({ fallbacks: 'default' }) })!;
    expect(message).toContain('fallbacks');
    expect(message).not.toContain('max_uses');
  });
});
