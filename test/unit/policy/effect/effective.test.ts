import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type {
  CompiledBudget,
  CompiledKey,
  CompiledRestriction,
  CompiledWorkspace,
} from '../../../../policy/core/compiled-policy.ts';
import { nano, parseUsd } from '../../../../policy/core/money.ts';
import { budgetEffective, workspaceEffective } from '../../../../policy/effect/effective.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import { budgetOf } from '../../../support/budget.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const file = new URL('../../../../policy/prices/prices.json', import.meta.url);
const book = parsePriceBook(JSON.parse(readFileSync(file, 'utf8')));

const keyOf = (name: string, attributes: CompiledKey['attributes'] = {}): CompiledKey => ({
  name,
  priority: 'Normal',
  attributes,
});

function workspaceOf(changes: Partial<CompiledWorkspace> = {}): CompiledWorkspace {
  return {
    namespace: 'payments',
    name: 'checkout',
    generation: 1,
    version: 1,
    baseURL: 'https://api.anthropic.com',
    suspend: false,
    namespaceAttributes: { namespace: 'payments', department: 'sales' },
    keys: [keyOf('api', { feature: 'search', customer: 'acme' }), keyOf('worker', { feature: 'invoices' })],
    headers: { user: 'x-user' },
    models: { allow: ['claude-sonnet-*', 'claude-haiku-*'], unknown: 'Refuse' },
    guards: {},
    batches: 'Refuse',
    refusal: { status: 429, message: '' },
    budgets: [],
    spanning: [],
    prices: 'prices.list.1',
    credentials: '',
    ...changes,
  };
}

const spanning = { selector: {}, disclosure: 'Name' } as const;
const ofBudget = (changes: Partial<CompiledBudget>, workspaces = [workspaceOf()]) =>
  budgetEffective(budgetOf(changes), workspaces, { book, now: NOW });
const ofWorkspace = (changes: Partial<CompiledWorkspace>, budgets = [budgetOf()]) =>
  workspaceEffective(workspaceOf(changes), budgets, { book, now: NOW, requireBudget: 'Any' });

describe('what a budget names and no call can have', () => {
  test.each<[string, Partial<CompiledBudget>]>([
    ['the feature of a key', { scope: { features: ['search'] } }],
    ['a pattern that a key fits', { scope: { features: ['inv*'], keys: ['wor*'] } }],
    ['an attribute that callers set', { scope: { users: ['anybody'] } }],
    ['a session, which callers of every workspace say', { per: ['session', 'agent'] }],
    ['an attribute of the namespace', { scope: { departments: ['sales'] }, per: ['department'] }],
    ['a customer that only some keys have', { scope: { customers: ['acme'] }, per: ['customer'] }],
    [
      'models by any of their names',
      { scope: { models: ['claude-sonnet-*', 'anthropic.claude-haiku-4-5-20251001-v1:0'] } },
    ],
    [
      'an override for a value of a key',
      { per: ['customer'], overrides: [{ values: ['acme'], limitNano: nano(1n << 40n) }] },
    ],
    ['an override that blocks', { per: ['user'], overrides: [{ values: ['mallory'], limitNano: nano(0n) }] }],
    ['a grant to come', { grants: [{ amountNano: nano(1n), from: 0, until: NOW + 1 }] }],
    ['a spanning budget for a department', { spanning, scope: { departments: ['sales'] }, per: ['namespace'] }],
  ])('nothing is said about %s', (_, changes) => {
    expect(ofBudget(changes).reason).toBe('Effective');
  });

  test.each<[string, string, Partial<CompiledBudget>]>([
    [
      'MatchesNothing',
      'spec.scope.features: no key has the feature "serach". Did you mean "search"?',
      { scope: { features: ['serach'] } },
    ],
    [
      'MatchesNothing',
      'spec.scope.features: no key has the feature "chat". There is "invoices", "search".',
      { scope: { features: ['search', 'chat'] } },
    ],
    [
      'MatchesNothing',
      'spec.scope.tags.team: no key has the team "red". Give it to a key, or remove it.',
      { scope: { tags: { team: ['red'] } } },
    ],
    [
      'MatchesNothing',
      'spec.scope.keys: no key has the name "apii". Did you mean "api"?',
      { scope: { keys: ['apii'] } },
    ],
    [
      'MatchesNothing',
      'spec.scope.departments: no key has the department "slaes". There is "sales".',
      { spanning, scope: { departments: ['slaes'] } },
    ],
    [
      'MatchesNothing',
      'spec.whenSpent.exempt.users: no key has the user "ada". Give it to a key, or remove it.',
      { exempt: { users: ['ada'] } },
    ],
    [
      'MatchesNothing',
      'the attribute custmer and no header sets it, so all calls share one counter. Did you mean "customer"?',
      { per: ['custmer'] },
    ],
    ['MatchesNothing', 'Did you mean "claude-sonnet-*"?', { scope: { models: ['claude-sonet-*'] } }],
    ['MatchesNothing', 'Did you mean "claude-opus-*"?', { scope: { models: ['claude-opsu-*'] } }],
    ['MatchesNothing', 'Did you mean "claude-sonnet-4-*"?', { scope: { models: ['claude-4-sonnet-*'] } }],
    [
      'MatchesNothing',
      'no model of the price book is named "claude-4-sonnet". Did you mean "claude-sonnet-',
      { scope: { models: ['claude-4-sonnet'] } },
    ],
    [
      'MatchesNothing',
      'Or write "*sonnet*" for all models with that in their name.',
      { scope: { models: ['sonnet'] } },
    ],
    ['MatchesNothing', 'Write a model of the price book such as "claude-haiku-4-5"', { scope: { models: ['gpt-4'] } }],
    [
      'MatchesNothing',
      'the workspace allows no model that "claude-opus-*" names',
      { scope: { models: ['claude-opus-*'] } },
    ],
    [
      'OverridesUnmatched',
      'spec.limit.overrides[0].values: no key has the customer "acmee". Did you mean "acme"?',
      { per: ['customer'], overrides: [{ values: ['acmee'], limitNano: nano(0n) }] },
    ],
    [
      'OverridesUnmatched',
      'callers set the user, so it cannot raise the limit',
      { per: ['user'], overrides: [{ values: ['ada'], limitNano: parseUsd('100.00') }] },
    ],
    [
      'LimitBelowCall',
      'spec.limit.usd: $0.000500 is less than one usual call may cost',
      { limitNano: parseUsd('0.0005') },
    ],
    ['LimitBelowCall', 'spec.limit.totalUsd: $0.000400', { per: ['customer'], totalNano: parseUsd('0.0004') }],
    [
      'GrantsExpired',
      'spec.grants[0]: the grant of $10.00 ended at 2026-11-30T12:00:00Z. Remove it, or write a later untilTime.',
      { grants: [{ amountNano: parseUsd('10'), from: 0, until: NOW }] },
    ],
  ])('%s: %s', (reason, message, changes) => {
    const finding = ofBudget(changes);
    expect(finding.reason).toBe(reason);
    expect(finding.message).toContain(message);
  });

  test('a tolerance counts as room, and a limit of 0 is meant', () => {
    expect(ofBudget({ limitNano: parseUsd('0.0005'), toleranceNano: parseUsd('1') }).reason).toBe('Effective');
    const overrides = [{ values: ['acme'], limitNano: nano(0n) }];
    expect(ofBudget({ per: ['customer'], overrides }).reason).toBe('Effective');
  });

  test('models outside of the price book are known to nobody where the workspace prices them at the highest price', () => {
    const open = workspaceOf({ models: { allow: ['*'], unknown: 'HighestPrice' } });
    expect(ofBudget({ scope: { models: ['qwen3-32b'] } }, [open]).reason).toBe('Effective');
  });

  test('a selector that selects nothing, while a budget whose workspace has no key is left to the workspace', () => {
    expect(ofBudget({ spanning }, []).message).toContain('no namespace with these labels has a workspace');
    expect(ofBudget({ scope: { keys: ['api'] } }, [workspaceOf({ keys: [] })]).reason).toBe('Effective');
  });

  test('the first reason is named, and the message has all of them, within what anybody reads', () => {
    const features = Array.from({ length: 20 }, (_, i) => `x${i}`);
    const finding = ofBudget({ scope: { features }, grants: [{ amountNano: nano(1n), from: 0, until: 1 }] });
    expect(finding.reason).toBe('MatchesNothing');
    expect(finding.message).toMatch(/There are 13 more\.$/);
  });
});

describe('what of a workspace has no effect', () => {
  test.each<[string, string, Partial<CompiledWorkspace>, CompiledBudget[]]>([
    ['MatchesNothing', 'spec.keys: it has no key, so nobody can call.', { keys: [] }, [budgetOf()]],
    [
      'MatchesNothing',
      'spec.models.allow: no model of the price book is named "claude-haikus-*". Did you mean',
      { models: { allow: ['claude-haikus-*'], unknown: 'Refuse' } },
      [budgetOf()],
    ],
    [
      'MatchesNothing',
      `no budget's scope matches calls with key "worker"`,
      {},
      [budgetOf({ scope: { features: ['search'] } })],
    ],
    [
      'LimitBelowCall',
      'spec.guards.maxRequestUsd: $0.000100 is less than one usual call may cost',
      { guards: { maxRequestNano: parseUsd('0.0001') } },
      [budgetOf()],
    ],
  ])('%s: %s', (reason, message, changes, budgets) => {
    const finding = ofWorkspace(changes, budgets);
    expect(finding.reason).toBe(reason);
    expect(finding.message).toContain(message);
  });

  const restricted = (match: CompiledRestriction['match'], allow: string[]) => ({
    models: {
      allow: ['claude-sonnet-*', 'claude-haiku-*'],
      unknown: 'Refuse' as const,
      restrictions: [{ name: 'interns', match, allow }],
    },
  });

  test.each<[string, CompiledRestriction['match'], string[]]>([
    ['match.keys: no key has the name "wroker". Did you mean "worker"?', { keys: ['wroker'] }, ['claude-haiku-*']],
    [
      'match.tags.team: no key has the team "red". Give it to a key, or remove it.',
      { tags: { team: ['red'] } },
      ['claude-haiku-*'],
    ],
    [
      'match: no key has all that it lists, so it restricts nobody. Remove a list, or write a restriction for each.',
      { keys: ['worker'], customers: ['acme'] },
      ['claude-haiku-*'],
    ],
    ['match.models: the workspace allows no model that "claude-opus-*" names', { models: ['claude-opus-*'] }, ['*']],
    [
      'allow: no model of the price book is named "claude-haikus-*". Did you mean',
      { users: ['intern_1'] },
      ['claude-haikus-*'],
    ],
    [
      'allow: the workspace allows no model that "claude-opus-*" names (spec.models.allow). Remove it here, or allow it there.',
      { users: ['intern_1'] },
      ['claude-opus-*', 'claude-haiku-*'],
    ],
  ])('a restriction: %s', (message, match, allow) => {
    const finding = ofWorkspace(restricted(match, allow));
    expect(finding).toEqual({
      reason: 'MatchesNothing',
      message: expect.stringContaining(`spec.models.restrictions[0].${message}`),
    });
    expect(finding.message).not.toContain('no model is left');
  });

  test('restrictions that together leave a key no model', () => {
    const { models } = restricted({ keys: ['worker'] }, ['claude-haiku-*']);
    const both = [...models.restrictions, { name: 'dear', match: { keys: ['*'] }, allow: ['claude-sonnet-*'] }];
    const finding = ofWorkspace({ models: { ...models, restrictions: both } });
    expect(finding.message).toBe(
      'spec.models.restrictions: no model is left for calls with key "worker", so they are refused (ModelNotAllowed). Let the lists that apply to it have a model in common, with spec.models.allow too.',
    );
  });

  test.each<[string, CompiledRestriction['match'], string[]]>([
    ['of users, whom callers name', { users: ['intern_1'] }, ['claude-haiku-*']],
    ['of a key', { keys: ['work*'], features: ['invoices'] }, ['claude-haiku-4-5-20251001']],
    ['of an attribute of the namespace', { departments: ['sales'] }, ['claude-haiku-*']],
    ['of models', { models: ['claude-sonnet-*'] }, ['claude-sonnet-4-5']],
  ])('nothing is said about a restriction %s', (_, match, allow) => {
    expect(ofWorkspace(restricted(match, allow)).reason).toBe('Effective');
  });

  test('nothing is said where all is well, or no budget is required', () => {
    expect(ofWorkspace({}).reason).toBe('Effective');
    const some = [budgetOf({ scope: { features: ['search'] } })];
    const off = { book, now: NOW, requireBudget: 'Off' } as const;
    expect(workspaceEffective(workspaceOf(), some, off).reason).toBe('Effective');
  });

  test('nothing tells a tenant a name of a spanning budget or of another namespace', () => {
    const spans = budgetOf({
      namespace: 'tollgate-system',
      name: 'secret',
      spanning,
      scope: { departments: ['hidden'] },
    });
    const { message } = ofWorkspace({}, [spans]);
    expect(message).toContain('no budget');
    expect(message).not.toMatch(/secret|hidden|tollgate-system/);
  });
});
