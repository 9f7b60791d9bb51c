import { describe, expect, test } from '@jest/globals';
import { proxiesOf } from '../../../proxy/proxy-environment.ts';

const PROXY = 'http://user:hunter2@proxy.corp.example:3128';
const ORIGIN = new URL('https://api.anthropic.com');

describe('the proxy of an upstream', () => {
  test('is that of its scheme, by either name', () => {
    expect(proxiesOf({ HTTPS_PROXY: PROXY })(ORIGIN)?.href).toBe(`${PROXY}/`);
    expect(proxiesOf({ https_proxy: 'proxy:3128', HTTPS_PROXY: PROXY })(ORIGIN)?.host).toBe('proxy:3128');
    expect(proxiesOf({ HTTP_PROXY: PROXY })(ORIGIN)).toBeNull();
    expect(proxiesOf({ HTTPS_PROXY: '', NO_PROXY: '' })(ORIGIN)).toBeNull();
    expect(proxiesOf({})(ORIGIN)).toBeNull();
  });

  test.each([
    ['.svc,.cluster.local,10.0.0.0/8', 'https://vllm.models.svc:8000', true],
    ['.svc,.cluster.local,10.0.0.0/8', 'https://10.20.30.40', true],
    ['.svc,.cluster.local,10.0.0.0/8', 'https://11.20.30.40', false],
    ['.svc,.cluster.local,10.0.0.0/8', 'https://api.anthropic.com', false],
    ['anthropic.com', 'https://api.anthropic.com', true],
    ['*.Anthropic.com other', 'https://api.anthropic.com.', true],
    ['opic.com', 'https://api.anthropic.com', false],
    ['api.anthropic.com:8443', 'https://api.anthropic.com', false],
    ['api.anthropic.com:443', 'https://api.anthropic.com', true],
    ['fd00::/8, [::1]:8443', 'https://[fd12::1]', true],
    ['fd00::/8, [::1]:8443', 'https://[::1]:8443', true],
    ['fd00::/8, [::1]:8443', 'https://[::1]', false],
    ['*', 'https://api.anthropic.com', true],
  ])('with NO_PROXY=%s of %s: direct %s', (list, origin, isDirect) => {
    expect(proxiesOf({ HTTPS_PROXY: PROXY, NO_PROXY: list })(new URL(origin)) === null).toBe(isDirect);
  });

  test.each(['socks5://user:hunter2@proxy:1080', 'http://', 'http://user:hunter2@:99999'])('is refused: %s', (text) => {
    expect(() => proxiesOf({ HTTPS_PROXY: text })).toThrow(
      new Error('HTTPS_PROXY is not valid: write http://proxy:port or https://proxy:port'),
    );
  });
});
