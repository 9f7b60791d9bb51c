/**
 * Money is a bigint of nano-dollars (10⁻⁹ USD): exact for every published price, cheap to add, and never mixed with a
 * float by accident. It is parsed and formatted here, and divided only to round a cost up.
 */

declare const brand: unique symbol;

/**
 * An amount of nano-dollars. A plain bigint at run time. The brand makes the result of a raw `+` or `*` a bigint that is
 * not money: use the functions below, or `nano` if not all operands are amounts (tokens × price).
 */
export type Nano = bigint & { readonly [brand]: true };

/** Declares a bigint to be an amount of nano-dollars. */
export function nano(amount: bigint): Nano {
  return amount as Nano;
}

/** Reads an amount in decimal digits, the form of the ledger and the usage log. Throws a SyntaxError for any other text. */
export function decodeNano(digits: string): Nano {
  return nano(BigInt(digits));
}

export const ZERO: Nano = nano(0n);

export const USD: Nano = nano(1_000_000_000n);

/** The maximum of a counter and of a column of the usage log: a signed 64-bit integer. */
export const MAX_NANO: Nano = nano(2n ** 63n - 1n);

/** The maximum cost of a call, half of what a counter holds. */
export const MAX_CALL_NANO: Nano = nano(2n ** 62n);

export function add(a: Nano, b: Nano): Nano {
  return nano(a + b);
}

export function subtract(a: Nano, b: Nano): Nano {
  return nano(a - b);
}

export function sum(amounts: Iterable<Nano>): Nano {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return nano(total);
}

export function times(amount: Nano, factor: number): Nano {
  return nano(amount * BigInt(factor));
}

export function max(a: Nano, b: Nano): Nano {
  return a > b ? a : b;
}

export function min(a: Nano, b: Nano): Nano {
  return a < b ? a : b;
}

const CENT = USD / 100n;
const MILLIONTH = USD / 1_000_000n;
const AMOUNT = /^(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,9}))?$/;

/** The text is not an amount of money: a decimal in US dollars such as "25.00". */
export class MoneyInvalid extends Error {
  override readonly name = 'MoneyInvalid';
}

/** "25.00" → 25_000_000_000n. At most twelve digits before the point and nine after it; throws `MoneyInvalid`. */
export function parseUsd(text: string): Nano {
  const match = AMOUNT.exec(text);
  if (match === null) throw new MoneyInvalid(`${JSON.stringify(text)} is not an amount in USD such as "25.00"`);
  const [, dollars = '', fraction = ''] = match;
  return nano(BigInt(dollars) * USD + BigInt(fraction.padEnd(9, '0')));
}

/** The same for text that anybody may have written: null if it is not an amount. */
export function usdOrNull(text: string): Nano | null {
  return AMOUNT.test(text) ? parseUsd(text) : null;
}

/** The exact amount in cents, else in millionths, else in nano-dollars: 20_412_310_000n → "20.412310". */
export function formatUsd(amount: Nano): string {
  const [sign, size] = amount < 0n ? ['-', subtract(ZERO, amount)] : ['', amount];
  const decimals = size % CENT === 0n ? 2 : size % MILLIONTH === 0n ? 6 : 9;
  const fraction = (size % USD).toString().padStart(9, '0').slice(0, decimals);
  return `${sign}${size / USD}.${fraction}`;
}

/** Truncated to cents, for messages: 24_998_600_000n → "24.99". */
export function formatCents(amount: Nano): string {
  return formatUsd(nano((amount / CENT) * CENT));
}

/** For sentences on what is there: truncated to cents, below a cent to two digits. 24_998_600_000n → "24.99", 1_400_000n → "0.0014". */
export function usdAtLeast(amount: Nano): string {
  const step = sentenceStep(amount);
  return withoutZeros(nano((amount / step) * step));
}

/** For sentences on what a call may cost: the same, rounded up, so that it never looks as if it fitted. 1_339_437_500n → "1.34". */
export function usdAtMost(amount: Nano): string {
  const step = sentenceStep(amount);
  return withoutZeros(nano(ceilDiv(amount, step) * step));
}

function sentenceStep(amount: Nano): bigint {
  if (amount >= CENT) return CENT;
  return 10n ** BigInt(Math.max(amount.toString().length - 2, 0));
}

function withoutZeros(amount: Nano): string {
  return formatUsd(amount).replace(/(\.\d\d\d*?)0+$/, '$1');
}

/** Spend as a whole percentage of a limit, rounded up; 100 for a limit of zero. At most the maximum of an int32. */
export function percentUsed(spentNano: Nano, limitNano: Nano): number {
  if (limitNano <= 0n) return 100;
  return Math.min(Number((spentNano * 100n + limitNano - 1n) / limitNano), 2_147_483_647);
}

/** Division of non-negative numbers, rounded up: the cost of token units. */
export function ceilDiv(amount: bigint, by: bigint): Nano {
  return nano((amount + by - 1n) / by);
}
