import { expect, test } from '@jest/globals';
import { Counter, Registry } from 'prom-client';
import { answerScrape } from '../../../metrics/scrape.ts';

const TOKEN = 'a-token-of-tests-only';
const registry = new Registry();
registry.registerMetric(
  new Counter({ name: 'tollgate_secret_usd', help: 'What nobody else may read.', registers: [] }),
);

test('metrics are served to who shows the token, and to nobody else', async () => {
  const shown = await answerScrape(registry, TOKEN, `Bearer ${TOKEN}`);
  expect([shown.status, shown.text.includes('tollgate_secret_usd')]).toEqual([200, true]);
  const wrong = [undefined, '', TOKEN, 'Bearer ', `Bearer ${TOKEN}x`, `bearer ${TOKEN}`, `Bearer ${TOKEN.slice(1)}`];
  for (const authorization of wrong) {
    const { status, text } = await answerScrape(registry, TOKEN, authorization);
    expect([status, text.includes('tollgate_')]).toEqual([401, false]);
  }
});

test('without a token nobody is a scraper', async () => {
  for (const authorization of [undefined, '', 'Bearer ', 'Bearer null', 'Bearer undefined']) {
    const { status, text } = await answerScrape(registry, null, authorization);
    expect([status, text.includes('tollgate_secret')]).toEqual([404, false]);
  }
});
