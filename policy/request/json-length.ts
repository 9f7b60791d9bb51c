import { isObject } from './json-access.ts';
import { MAX_NUMBER_LENGTH } from './json-number.ts';
import { LongText } from './long-text.ts';

const ENCODER = new TextEncoder();

/**
 * The most that a value takes as JSON without spaces. A large integer was read as the nearest number, but may be passed on
 * digit by digit. Bytes.
 */
export function jsonLength(value: unknown): number {
  if (value instanceof LongText) return value.length + 2;
  if (Array.isArray(value))
    return value.reduce<number>((sum, one) => sum + jsonLength(one) + 1, value.length === 0 ? 2 : 1);
  if (typeof value === 'number' && !(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) return MAX_NUMBER_LENGTH;
  if (!isObject(value)) return ENCODER.encode(JSON.stringify(value)).length;
  let length = 1;
  for (const name in value) length += ENCODER.encode(JSON.stringify(name)).length + jsonLength(value[name]) + 2;
  return Math.max(length, 2);
}
