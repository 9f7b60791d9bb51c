import type { RequestFacts } from '../policy/request.ts';
import type { PriceBook } from '../policy/prices.ts';
import { dearestAt, rateAt } from '../policy/prices.ts';
import { worstCost } from '../policy/bound.ts';
import { cost, isAbsurd, type Usage } from '../policy/usage.ts';
import type { Metered } from './meter.ts';

/** What was reserved for a call, and at which prices. */
export interface Reserved {
  readonly facts: RequestFacts;
  /** The model that was sent. */
  readonly model: string;
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

/**
 * A token of text has hardly ever fewer bytes than this, so an answer that was cut is rather booked too high. The
 * upstream's own count comes only at an answer's end.
 */
const BYTES_PER_TOKEN = 2;

/** What a call that reached the upstream costs, however it ended. */
export function book(reserved: Reserved, metered: Metered, isCancelled: boolean): Booking {
  if (metered.complete) return bookWhole(reserved, metered);
  return isCancelled ? bookCancelled(reserved, metered) : bookBroken(reserved, metered);
}

/** An answer that came to its end costs exactly what it says, or the worst where it says nothing or what cannot be. */
function bookWhole(reserved: Reserved, metered: Metered): Booking {
  const model = metered.model ?? reserved.model;
  const { usage } = metered;
  if (usage === null || isAbsurd(usage, model, reserved.prices, reserved.at)) {
    return { costNano: reserved.worstNano, presumedNano: 0n, estimated: true, usage: null, model };
  }
  const costNano = cost(usage, model, reserved.prices, reserved.at);
  return { costNano, presumedNano: 0n, estimated: false, usage, model };
}

/** Of an answer that broke off what was seen is booked, and the rest stays presumed: the upstream may bill it all. */
function bookBroken(reserved: Reserved, metered: Metered): Booking {
  const seen = bookSeen(reserved, metered);
  const rest = reserved.worstNano - seen.costNano;
  return { ...seen, presumedNano: rest > 0n ? rest : 0n };
}

/**
 * An answer that was cancelled because its caller left is booked as far as it was seen, on the assumption that the
 * upstream bills no further. Of a stream that had not begun the prompt is booked at its bound; of an answer that comes
 * whole or not at all nothing is known, so all of it stays presumed.
 */
function bookCancelled(reserved: Reserved, metered: Metered): Booking {
  if (metered.usage !== null) return bookSeen(reserved, metered);
  if (!reserved.facts.stream) return bookBroken(reserved, metered);
  const { facts, prices, model, at } = reserved;
  const costNano = worstCost({ ...facts, maxTokens: 0 }, rateAt(prices, model, at) ?? dearestAt(prices, at));
  return { costNano, presumedNano: 0n, estimated: true, usage: null, model };
}

function bookSeen(reserved: Reserved, metered: Metered): Booking {
  const model = metered.model ?? reserved.model;
  if (metered.usage === null) return { costNano: 0n, presumedNano: 0n, estimated: true, usage: null, model };
  const output = Math.min(reserved.facts.maxTokens, Math.ceil(metered.outputBytes / BYTES_PER_TOKEN));
  const usage = { ...metered.usage, output: Math.max(metered.usage.output, output) };
  return { ...bookWhole(reserved, { ...metered, usage }), estimated: true };
}
