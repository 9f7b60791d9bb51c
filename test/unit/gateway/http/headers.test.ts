import { expect, test } from '@jest/globals';
import { headersDown } from '../../../../gateway/http/headers.ts';

test('the headers of an answer hold no credential and do not lead past the gateway', () => {
  const headers = {
    'content-type': 'application/json',
    connection: 'x-hop',
    'x-hop': '1',
    'x-api-key': 'sk-ant-upstream',
    authorization: 'Bearer sk-ant-upstream',
    'set-cookie': ['a=b'],
    location: 'https://api.anthropic.com/v1/messages',
    'alt-svc': 'h3="api.anthropic.com:443"',
    'x-tollgate-cost-usd': '0',
    'request-id': 'req_1',
  };
  expect(headersDown(headers)).toEqual(['content-type', 'application/json', 'request-id', 'req_1']);
});
