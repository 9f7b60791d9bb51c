/**
 * Money is a bigint of nano-dollars (10⁻⁹ USD): exact for every published price, cheap to add, and never mixed with a
 * float by accident. It is parsed and formatted here, and divided only to round a cost up.
 */

/** Nano-dollars in a dollar. */
export const USD = 1_000_000_000n;

/** No call costs more: a counter of the ledger holds twice as much. Nano-dollars. */
export const MOST_NANO: bigint = 2n ** 62n;

const CENT = USD / 100n;
const MILLIONTH = USD / 1_000_000n;
const AMOUNT = /^(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,9}))?$/;

/** The text is not an amount of money: a decimal in US dollars such as "25.00". */
export class MoneyInvalid extends Error {
  override readonly name = 'MoneyInvalid';
}

/** "25.00" → 25_000_000_000n. At most twelve digits before the point and nine after it; throws `MoneyInvalid`. */
export function parseUsd(text: string): bigint {
  const match = AMOUNT.exec(text);
  if (match === null) throw new MoneyInvalid(`${JSON.stringify(text)} is not an amount in USD such as "25.00"`);
  const [, dollars = '', fraction = ''] = match;
  return BigInt(dollars) * USD + BigInt(fraction.padEnd(9, '0'));
}

/** The exact amount in cents, else in millionths, else in nano-dollars: 20_412_310_000n → "20.412310". */
export function formatUsd(nano: bigint): string {
  const [sign, size] = nano < 0n ? ['-', -nano] : ['', nano];
  const decimals = size % CENT === 0n ? 2 : size % MILLIONTH === 0n ? 6 : 9;
  const fraction = (size % USD).toString().padStart(9, '0').slice(0, decimals);
  return `${sign}${size / USD}.${fraction}`;
}

/** Truncated to cents, for messages: 24_998_600_000n → "24.99". */
export function formatCents(nano: bigint): string {
  return formatUsd((nano / CENT) * CENT);
}

/** Spend as a whole percentage of a limit, rounded up; 100 for a limit of zero. At most the maximum of an int32. */
export function percentUsed(spentNano: bigint, limitNano: bigint): number {
  if (limitNano <= 0n) return 100;
  return Math.min(Number((spentNano * 100n + limitNano - 1n) / limitNano), 2_147_483_647);
}

/** Division of non-negative numbers, rounded up. */
export function ceilDiv(amount: bigint, by: bigint): bigint {
  return (amount + by - 1n) / by;
}
