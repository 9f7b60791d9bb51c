import { expect, test } from '@jest/globals';
import { BatchListing } from '../../../../gateway/batches/batch-listing.ts';

test('an upstream that repeats a page although it has more is not asked for ever', () => {
  const listing = new BatchListing({ limit: 2, isBackwards: false, cursor: null });
  const page = { data: [{ id: 'another’s' }], has_more: true, first_id: 'another’s', last_id: 'another’s' };
  listing.add(page, [false]);
  expect(listing.isWhole).toBe(false);
  listing.add(page, [false]);
  expect(listing.isWhole).toBe(true);
});
