import type { Billed } from '../metrics/spending.ts';
import { billOf } from '../policy/bill.ts';
import { worstCost } from '../policy/bound.ts';
import { cacheEffect } from '../policy/cache-effect.ts';
import type { PriceBook } from '../policy/prices.ts';
import type { RequestFacts } from '../policy/request.ts';
import { billedTokens, cost, type Usage } from '../policy/usage.ts';
import { thought } from './density.ts';
import type { Metered } from './meter.ts';

/** What was reserved for a call, and at which prices. */
export interface Reserved {
  /** What was sent. */
  readonly facts: RequestFacts;
  /** The model that was sent. */
  readonly model: string;
  /** The bound that its bytes give, even where less was reserved by a count of its tokens. */
  readonly worstNano: bigint;
  readonly prices: PriceBook;
  /** When it was admitted, by the ledger's clock. Milliseconds. */
  readonly at: number;
}

/** What of a reservation is booked, and what stays presumed because the upstream may still bill it. Nano-dollars. */
export interface Booking {
  readonly costNano: bigint;
  readonly presumedNano: bigint;
  /** The cost was not taken from a final usage. */
  readonly estimated: boolean;
  readonly usage: Usage | null;
  /** The model that the cost is of. */
  readonly model: string;
}

/** Tokens that a stream may have written by the time it notices that it is cancelled: a fifth of a second of output. */
const ON_THE_WAY = 16;

/**
 * What a call that reached the upstream costs, however it ended. `density`: tokens for a byte of visible output, for an
 * answer that did not come to its end, because the upstream's own count comes only there.
 */
export function book(reserved: Reserved, metered: Metered, isCancelled: boolean, density: number): Booking {
  if (metered.complete) return bookWhole(reserved, metered);
  return isCancelled ? bookCancelled(reserved, metered, density) : bookBroken(reserved, metered, density);
}

/** What of a booking the metrics count. */
export function billedOf({ facts, prices, at }: Reserved, { costNano, usage, model }: Booking): Billed {
  if (usage === null) return { costNano, tokens: null, cache: null };
  const cache = cacheEffect(usage, (one) => cost(one, model, prices, at, facts.model));
  return { costNano, tokens: billedTokens(usage, model), cache };
}

/** An answer that came to its end costs exactly what it says, or the worst where it says nothing or what cannot be. */
function bookWhole(reserved: Reserved, metered: Metered): Booking {
  const model = metered.model ?? reserved.model;
  const { usage } = metered;
  const { facts, prices: book, at, worstNano } = reserved;
  const bill = usage === null ? null : billOf(usage, { facts, model, book, at });
  if (bill === null) return { costNano: worstNano, presumedNano: 0n, estimated: true, usage: null, model };
  return { ...bill, presumedNano: 0n, usage, model };
}

/** Of an answer that broke off what was seen is booked, and the rest stays presumed: the upstream may bill it all. */
function bookBroken(reserved: Reserved, metered: Metered, density: number): Booking {
  const seen = bookSeen(reserved, metered, density, 0);
  const rest = reserved.worstNano - seen.costNano;
  return { ...seen, presumedNano: rest > 0n ? rest : 0n };
}

/**
 * A stream that was cancelled because its caller left is booked as far as it was seen, on the assumption that the
 * upstream bills no further. Of one that had not begun the prompt is booked at its bound.
 */
function bookCancelled(reserved: Reserved, metered: Metered, density: number): Booking {
  if (metered.usage !== null) return bookSeen(reserved, metered, density, ON_THE_WAY);
  const { facts, prices, model, at } = reserved;
  const costNano = worstCost({ ...facts, maxTokens: 0 }, prices, at);
  return { costNano, presumedNano: 0n, estimated: true, usage: null, model };
}

/**
 * What was said of the usage, at `density` what was seen since, and `unseen` tokens more. An estimate never carries it
 * beyond the worst case.
 */
function bookSeen(reserved: Reserved, metered: Metered, density: number, unseen: number): Booking {
  const { usage, unpricedBytes, textBytes, hiddenMs } = metered;
  const said = bookWhole(reserved, metered);
  if (usage === null) return { ...said, costNano: 0n };
  const isPriced = unpricedBytes === 0 && textBytes > 0;
  const since = isPriced ? 0 : Math.ceil(unpricedBytes * density) + thought(hiddenMs) + unseen;
  // What a stream says of its output as it begins is a beginning, and no count to go on from.
  const output = unpricedBytes === textBytes ? Math.max(usage.output, since) : usage.output + since;
  const seen = bookWhole(reserved, { ...metered, usage: { ...usage, output } });
  const { worstNano } = reserved;
  const most = said.costNano > worstNano ? said.costNano : worstNano;
  return { ...seen, costNano: seen.costNano < most ? seen.costNano : most, estimated: true };
}
