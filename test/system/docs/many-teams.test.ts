/** The file for one team on the page about many: it is taken, and its Role lets a tenant do what the page says, no more. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cluster } from '../../support/cluster.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/how-to/many-teams.md'), 'utf8');
const yaml = /^```yaml\n([^]*?)^```/m.exec(page)![1]!;

beforeAll(async () => void (await cluster().apply(yaml)));
afterAll(async () => void (await cluster().kubectl('delete', 'namespace', 'search', '--wait=false')));

test.each([
  ['create', 'claudebudgets.tollgate.dev', 'yes'],
  ['get', 'claudeworkspaces.tollgate.dev', 'yes'],
  ['update', 'claudeworkspaces.tollgate.dev', 'no'],
  ['get', 'secrets/search-claude', 'yes'],
  ['get', 'secrets/anthropic', 'no'],
  ['update', 'resourcequotas', 'no'],
])('may a tenant %s %s: %s', async (verb, resource, expected) => {
  const args = ['auth', 'can-i', verb, resource, '-n', 'search', '--as=ada', '--as-group=team-search'];
  const said = await cluster()
    .kubectl(...args)
    .catch((error: Error) => error.message); // `no` is a failure of the command
  expect(said).toMatch(new RegExp(`\\b${expected}\\s*$`));
});

test('the roles that the page names are those of the chart', () => {
  const chart = readFileSync(join(import.meta.dirname, '../../../charts/tollgate/templates/tenants.yaml'), 'utf8');
  for (const role of ['tollgate-edit', 'tollgate-view']) {
    expect(chart).toContain(`name: ${role}\n`);
    expect(page).toContain(`\`${role}\``);
  }
});
