import { isObject } from './json-access.ts';
import { MAX_NUMBER_LENGTH } from './json-number.ts';
import { LongText } from './long-text.ts';

/**
 * The most that a value takes as JSON without spaces. A large integer was read as the nearest number, but may be passed on
 * digit by digit. Bytes.
 */
export function jsonLength(value: unknown): number {
  if (typeof value === 'string') return stringLength(value);
  if (value instanceof LongText) return value.length + 2;
  if (Array.isArray(value)) {
    return value.reduce<number>((sum, one) => sum + jsonLength(one) + 1, value.length === 0 ? 2 : 1);
  }
  if (!isObject(value))
    return Math.abs(value as number) > Number.MAX_SAFE_INTEGER ? MAX_NUMBER_LENGTH : String(value).length;
  let length = 1;
  for (const name in value) length += stringLength(name) + jsonLength(value[name]) + 2;
  return Math.max(length, 2);
}

/** A control character, or half of a surrogate pair, as an escape of six characters. */
const ESCAPED = 6;

function stringLength(text: string): number {
  let length = 2;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) length += unit < 0x20 ? ESCAPED : unit === 0x22 || unit === 0x5c ? 2 : 1;
    else if (unit < 0x800) length += 2;
    else length += unit >= 0xd800 && unit < 0xe000 ? ESCAPED : 3;
  }
  return length;
}
