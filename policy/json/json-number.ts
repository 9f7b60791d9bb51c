/** More than any program writes; longer ones would take long to convert. */
export const MAX_NUMBER_LENGTH = 1_000;

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The JSON number that begins at an index, and the index behind it. Null if there is none; `long` above 1,000 characters. */
export function readNumber(bytes: Uint8Array, start: number): { value: number; end: number } | 'long' | null {
  let end = start;
  let value = 0;
  while (end < bytes.length && isDigit(bytes[end]!)) {
    value = value * 10 + (bytes[end]! - 0x30);
    end += 1;
    if (end - start > MAX_NUMBER_LENGTH) return 'long';
  }
  const digits = end - start;
  if (digits > 0 && digits <= 15 && !isPart(bytes[end]) && (bytes[start] !== 0x30 || digits === 1))
    return { value, end };
  while (isPart(bytes[end])) {
    end += 1;
    if (end - start > MAX_NUMBER_LENGTH) return 'long';
  }
  const text = String.fromCharCode(...bytes.subarray(start, end));
  return NUMBER.test(text) ? { value: Number(text), end } : null;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Whether it may follow in a number: a digit, sign, point or exponent. */
function isPart(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return isDigit(byte) || byte === 0x2b || byte === 0x2d || byte === 0x2e || (byte | 0x20) === 0x65;
}
