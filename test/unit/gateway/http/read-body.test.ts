import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { refuseUnread } from '../../../../gateway/http/read-body.ts';

const refused = (types: readonly string[], headers: Readonly<Record<string, string>> = {}) => {
  const headersDistinct = types.length === 0 ? {} : { 'content-type': types };
  return refuseUnread({ headersDistinct, headers } as unknown as IncomingMessage, 100, 'BodyTooLarge')?.reason;
};

describe('a body', () => {
  test.each([
    [],
    ['application/json'],
    ['Application/JSON;charset=UTF-8'],
    ['application/json; charset="utf-8"'],
    ['application/json ; charset = utf8 '],
    ['application/json', 'application/json; charset=utf-8'],
  ])('of type %j %j is read', (...types) => {
    expect(refused(types)).toBeUndefined();
  });

  test.each([
    ['application/json; charset=utf-16'],
    ['application/json; charset=iso-8859-1'],
    ['application/json; charset=utf-7'],
    ['application/json; charset=utf-8; charset=utf-16'],
    ['application/json; charset=utf-16; charset=utf-8'],
    ['application/json;charset="utf-8'],
    ['application/json, application/json; charset=utf-16'],
    ['application/json', 'application/json; charset=utf-16'],
    ['application/json; boundary=x'],
    ['text/json'],
    ['multipart/form-data; boundary=x'],
    ['application/x-www-form-urlencoded'],
    [''],
  ])('of type %j %j is refused', (...types) => {
    expect(refused(types)).toBe('ContentTypeInvalid');
  });

  test.each(['gzip', 'identity, gzip', 'br', 'x-gzip', ''])('encoded as %j is refused', (encoding) => {
    expect(refused(['application/json'], { 'content-encoding': encoding })).toBe('BodyCompressed');
  });
});
