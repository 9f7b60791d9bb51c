import { describe, expect, test } from '@jest/globals';
import { routeOf } from '../../../../gateway/http/route.ts';

describe('routes', () => {
  test.each([
    ['POST', '/v1/messages', 'Messages', '/v1/messages'],
    ['POST', '/v1/messages?beta=true', 'Messages', '/v1/messages'],
    ['POST', '/teams/a/v1/messages', 'Messages', '/v1/messages'],
    ['POST', '/v1/messages/count_tokens', 'CountTokens', '/v1/messages/count_tokens'],
    ['POST', '/team/v1/messages/batches', 'CreateBatch', '/v1/messages/batches'],
    ['GET', '/v1/messages/batches?limit=2', 'ListBatches', '/v1/messages/batches'],
    ['GET', '/v1/messages/batches/a', 'Batch', '/v1/messages/batches/a'],
    ['DELETE', '/v1/messages/batches/a', 'Batch', '/v1/messages/batches/a'],
    ['GET', '/v1/messages/batches/a/results', 'Batch', '/v1/messages/batches/a/results'],
    ['POST', '/v1/messages/batches/a/cancel', 'Batch', '/v1/messages/batches/a/cancel'],
    ['GET', '/v1/models?limit=1000', 'Models', '/v1/models'],
    ['GET', '/v1/models/claude-opus-5-5', 'Models', '/v1/models/claude-opus-5-5'],
    ['GET', '/team/tollgate/v1/budgets', 'Budgets', '/tollgate/v1/budgets'],
    ['HEAD', '/', 'Probe', '/'],
    ['HEAD', '/api/hello', 'Probe', '/api/hello'],
    ['HEAD', '/team/', 'Probe', '/team/'],
  ])('%s %s', (method, url, endpoint, path) => {
    expect(routeOf(method, url)).toMatchObject({ endpoint, path });
  });

  test.each([
    ['GET', '/v1/messages'],
    ['POST', '/v1/models'],
    ['POST', '//v1/messages'],
    ['POST', '/v1//messages'],
    ['POST', '/v1/messages/'],
    ['POST', '/v1/messages/..'],
    ['POST', '/v1/x/../messages'],
    ['POST', '/./v1/messages'],
    ['POST', '/v1/%6dessages'],
    ['POST', '/v1%2fmessages'],
    ['POST', '/%2e%2e/v1/messages'],
    ['POST', '/v1/messages;x'],
    ['POST', '/v1\\messages'],
    ['POST', 'http://elsewhere/v1/messages'],
    ['DELETE', '/v1/messages/batches'],
    ['POST', '/v1/messages/batches/a'],
    ['GET', '/v1/messages/batches/a/cancel'],
    ['DELETE', '/v1/messages/batches/a/results'],
    ['GET', '/v1/messages/batches/a/b'],
    ['GET', '/v1/messages/batches/../models'],
    ['POST', '/v1/organizations/spend'],
    ['POST', '/v1/complete'],
    ['GET', '/v1/models/../messages'],
    ['GET', '/v1/models/..'],
    ['HEAD', '/v1/messages'],
    ['HEAD', '//'],
    ['OPTIONS', '*'],
  ])('%s %s is nothing', (method, url) => {
    expect(routeOf(method, url)).toBeNull();
  });
});
