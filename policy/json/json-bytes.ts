/** The bytes of JSON text: its punctuation, and what may stand in a string. */

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_LIST = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_LIST = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;

export function isOpen(byte: number): boolean {
  return byte === OPEN_OBJECT || byte === OPEN_LIST;
}

export function isClose(byte: number): boolean {
  return byte === CLOSE_OBJECT || byte === CLOSE_LIST;
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** By byte: 1 for printable ASCII that stands for itself in a string. */
export const PLAIN: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);

/** By byte: how long an escape is that has it behind the backslash, 0 if there is none. */
const ESCAPE_LENGTHS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  '"\\/bfnrt'.includes(String.fromCharCode(byte)) ? 2 : byte === 0x75 ? 6 : 0,
);

/** The index behind the escape whose backslash is at `at`; -1 if it is not one. */
export function afterEscape(bytes: Uint8Array, at: number): number {
  const length = ESCAPE_LENGTHS[bytes[at + 1] ?? 0]!;
  if (length === 0) return -1;
  for (let i = at + 2; i < at + length; i++) if (!isHex(bytes[i])) return -1;
  return at + length;
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66);
}

/** The index behind the UTF-8 sequence of several bytes that begins at `at`; -1 if it is not one. */
export function afterSequence(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0xc2 || lead > 0xf4) return -1;
  const [low, high] = secondByte(lead);
  const second = bytes[at + 1];
  if (second === undefined || second < low || second > high) return -1;
  const end = at + (lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
  for (let i = at + 2; i < end; i++) if ((bytes[i]! & 0xc0) !== 0x80) return -1;
  return end;
}

const ANY = [0x80, 0xbf] as const;
const NOT_OVERLONG_3 = [0xa0, 0xbf] as const;
const NO_SURROGATE = [0x80, 0x9f] as const;
const NOT_OVERLONG_4 = [0x90, 0xbf] as const;
const IN_UNICODE = [0x80, 0x8f] as const;

/** The range of the byte behind `lead`, without surrogates, what is above Unicode, and longer forms than needed. */
function secondByte(lead: number): readonly [low: number, high: number] {
  if (lead === 0xe0) return NOT_OVERLONG_3;
  if (lead === 0xed) return NO_SURROGATE;
  if (lead === 0xf0) return NOT_OVERLONG_4;
  return lead === 0xf4 ? IN_UNICODE : ANY;
}
