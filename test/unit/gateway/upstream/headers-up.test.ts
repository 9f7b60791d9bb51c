import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { headersUp, jsonHeadersUp } from '../../../../gateway/upstream/headers-up.ts';
import { workspaceOf } from '../../policy/admit/planned.ts';

const OURS = ['x-api-key', 'sk-ant', 'accept-encoding', 'identity'];

/** What goes up of a caller's headers, without those of our own. */
function passed(headers: Readonly<Record<string, string>>, workspace = workspaceOf()): string[] {
  const req = { rawHeaders: Object.entries(headers).flat(), headers } as unknown as IncomingMessage;
  const up = headersUp(req, workspace);
  expect(up.slice(0, OURS.length)).toEqual(OURS);
  expect(jsonHeadersUp(req, workspace)).toEqual([...up, 'content-type', 'application/json']);
  return up.slice(OURS.length);
}

describe('the headers of an upstream call', () => {
  test('are what the API, its SDKs and Claude Code send, also those that are newer than Tollgate', () => {
    const headers = {
      accept: 'text/event-stream',
      'anthropic-beta': 'one,two',
      'anthropic-dangerous-direct-browser-access': 'true',
      'anthropic-newest-thing': '1',
      'anthropic-version': '2023-06-01',
      traceparent: '00-1-2-01',
      'user-agent': 'claude-cli/2.1.330 (external, sdk-cli)',
      'x-app': 'cli',
      'x-claude-code-agent-id': 'a',
      'x-claude-code-session-id': 's',
      'x-stainless-lang': 'js',
      'x-stainless-newest': '1',
    };
    expect(passed(headers)).toEqual(Object.entries(headers).flat());
  });

  test.each(
    `x-goog-iap-jwt-assertion x-amzn-oidc-data x-amzn-oidc-accesstoken x-ms-token-aad-id-token
     x-auth-request-email x-auth-request-access-token x-forwarded-user x-remote-user
     x-jwt-payload cf-access-jwt-assertion cf-connecting-ip cf-ray
     cdn-loop true-client-ip fastly-client-ip x-real-ip
     x-original-forwarded-for x-envoy-external-address x-forwarded-for forwarded
     via x-litellm-api-key x-goog-api-key api-key
     helicone-auth x-portkey-api-key x-api-key authorization
     proxy-authorization cookie referer origin
     host baggage x-b3-traceid sec-fetch-mode
     accept-language accept-encoding x-anthropic-billing-header x-tollgate-user
     anthropic-workspace-id anthropic-organization-id anthropic-user-profile-id anthropic-billing-policy
     anthropic-account anthropic-priority anthropic-service-tier anthropic-api-key
     anthropic-x-model content-type content-encoding content-location
     content-length transfer-encoding expect x-http-method-override
     x-method-override x-original-url x-rewrite-url x-unheard-of`.split(/\s+/),
  )('do not have %s', (name) => {
    expect(passed({ [name]: '1', 'X-App': 'cli' })).toEqual(['x-app', 'cli']);
  });

  test('are the workspace’s own, whatever the caller sends', () => {
    const workspace = { ...workspaceOf(), upstreamHeaders: { 'anthropic-workspace-id': 'w', 'x-app': 'ours' } };
    const headers = { 'Anthropic-Workspace-Id': 'c', 'X-App': 'cli', accept: '*/*' };
    expect(passed(headers, workspace)).toEqual(['anthropic-workspace-id', 'w', 'x-app', 'ours', 'accept', '*/*']);
  });

  test('have none that carries an attribute, and none of the connection', () => {
    const workspace = { ...workspaceOf(), headers: { feature: 'x-app' } };
    expect(
      passed({ connection: 'keep-alive, X-Stainless-Hop', 'x-stainless-hop': '1', 'x-app': 'a' }, workspace),
    ).toEqual([]);
  });
});
