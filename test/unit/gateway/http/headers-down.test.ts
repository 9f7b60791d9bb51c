import { describe, expect, test } from '@jest/globals';
import { headersDownWith, textHeadersDown } from '../../../../gateway/http/headers-down.ts';

const ANSWER = {
  'content-type': 'application/json; charset=utf-16',
  'content-encoding': 'gzip',
  'content-length': '7',
  connection: 'x-hop',
  'x-hop': '1',
  'x-api-key': 'sk-ant-upstream',
  authorization: 'Bearer sk-ant-upstream',
  'set-cookie': ['a=b'],
  location: 'https://api.anthropic.com/v1/messages',
  'alt-svc': 'h3="api.anthropic.com:443"',
  'anthropic-organization-id': 'org',
  'anthropic-workspace-id': 'wrkspc',
  'anthropic-ratelimit-requests-limit': '4000',
  'anthropic-ratelimit-unified-status': 'allowed',
  'access-control-allow-origin': '*',
  server: 'cloudflare',
  'cf-ray': '1',
  via: '1.1 proxy',
  'x-envoy-upstream-service-time': '3',
  'x-tollgate-cost-usd': '0',
  'request-id': 'req_1',
  'retry-after': '7',
  'x-should-retry': 'true',
};
const NEEDED = ['content-encoding', 'gzip', 'request-id', 'req_1', 'retry-after', '7', 'x-should-retry', 'true'];

describe('the headers of an answer', () => {
  test('are those that clients act on; nothing of the account, its quota or what stands in front of it', () => {
    expect(headersDownWith([])(ANSWER)).toEqual(['content-type', 'application/json', ...NEEDED]);
  });

  test('are also those that the installation allows, never credentials and what leads past the gateway', () => {
    const also = headersDownWith(['anthropic-ratelimit-*', 'anthropic-organization-id', 'set-*', 'loc*', 'x-*']);
    const down = also(ANSWER);
    const names = down.filter((_one, index) => index % 2 === 0);
    expect(names.toSorted()).toEqual(
      ['anthropic-organization-id', 'anthropic-ratelimit-requests-limit', 'anthropic-ratelimit-unified-status']
        .concat(
          'content-type',
          NEEDED.filter((_one, index) => index % 2 === 0),
          'x-envoy-upstream-service-time',
        )
        .toSorted(),
    );
  });

  test.each([
    ['text/event-stream', 'text/event-stream; charset=utf-8'],
    ['application/x-jsonl', 'application/x-jsonl'],
  ])('have a type of the API, %s', (type, ours) => {
    expect(headersDownWith([])({ 'content-type': type })).toEqual(['content-type', ours]);
  });

  test.each(['text/html', 'image/svg+xml', undefined])('show %s as text, which no browser runs', (type) => {
    const asText = ['content-type', 'text/plain; charset=utf-8', 'x-content-type-options', 'nosniff'];
    expect(headersDownWith([])(type === undefined ? {} : { 'content-type': type })).toEqual(asText);
  });

  test('that was read and is written again say its new length and no encoding', () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expect(textHeadersDown(headersDownWith([]), headers, 'hé')).toEqual([
      'content-type',
      'application/json',
      'content-length',
      '3',
    ]);
  });
});
