import type { IncomingMessage } from 'node:http';
import { expect, test } from '@jest/globals';
import { headersDown, headersUp, jsonHeadersUp } from '../../../../gateway/http/headers.ts';
import { workspaceOf } from '../../policy/admit/planned.ts';

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

test('the upstream gets one content-type, ours, and nothing that would have it read another request', () => {
  const rawHeaders = [
    ['Content-Type', 'application/json; charset=utf-16'],
    ['content-type', 'application/json'],
    ['Content-Encoding', 'identity'],
    ['Content-Location', '/v1/files'],
    ['Content-Length', '7'],
    ['X-HTTP-Method-Override', 'DELETE'],
    ['X-Method-Override', 'GET'],
    ['X-Original-URL', '/v1/files'],
    ['X-Rewrite-URL', '/v1/files'],
    ['Expect', '100-continue'],
    ['Transfer-Encoding', 'chunked'],
    ['anthropic-version', '2023-06-01'],
  ].flat();
  const req = { rawHeaders, headers: {} } as unknown as IncomingMessage;
  const up = ['x-api-key', 'sk-ant', 'accept-encoding', 'identity', 'anthropic-version', '2023-06-01'];
  expect(headersUp(req, workspaceOf())).toEqual(up);
  expect(jsonHeadersUp(req, workspaceOf())).toEqual([...up, 'content-type', 'application/json']);
});
