import { describe, expect, test } from '@jest/globals';
import { parseRedisUrl, withPassword } from '../../../config/redis-address.ts';

describe('the address of Redis', () => {
  test.each([
    ['redis://127.0.0.1', { kind: 'Standalone', isTls: false, nodes: [{ host: '127.0.0.1', port: 6379 }], db: 0 }],
    ['rediss://alice:p%40ss@[::1]:7000/3', { isTls: true, nodes: [{ host: '::1', port: 7000 }], db: 3 }],
    ['rediss://alice:p%40ss@[::1]:7000/3', { username: 'alice', password: 'p@ss' }],
    ['redis://:p@ss:word@redis:1', { username: undefined, password: 'p@ss:word', nodes: [{ host: 'redis', port: 1 }] }],
    [
      'redis+sentinel://:a@h1,h2:26380/mymaster/2?sentinelPassword=b%26',
      {
        kind: 'Sentinel',
        nodes: [
          { host: 'h1', port: 26_379 },
          { host: 'h2', port: 26_380 },
        ],
        master: 'mymaster',
        password: 'a',
        sentinelPassword: 'b&',
        db: 2,
      },
    ],
    ['rediss+cluster://h1:7000,h2:7001', { kind: 'Cluster', isTls: true, master: '' }],
  ])('%s', (url, address) => {
    expect(parseRedisUrl(url)).toMatchObject(address);
  });

  test('takes a password from elsewhere as it is, where it has none', () => {
    const password = 'p@:/"\\%41#?\'$x y';
    const read = (url: string) => parseRedisUrl(withPassword(url, password));
    expect(read('redis://redis:6380/2')).toMatchObject({ password, nodes: [{ host: 'redis', port: 6380 }], db: 2 });
    expect(read('redis+sentinel://h1,h2/mymaster')).toMatchObject({ password, master: 'mymaster' });
    expect(read('redis://:own@redis')).toMatchObject({ password: 'own' });
    expect(withPassword('redis://redis', undefined)).toBe('redis://redis');
  });

  test.each([
    ['localhost:6379', 'is not an address: write redis://'],
    ['http://:hunter2@redis', 'is not an address: write redis://'],
    ['redis://:hunter2@', 'is not an address: write redis://'],
    ['redis://:hunter2@redis:port', 'names a host that is not valid: write each as host:port'],
    ['redis://:hunter2@redis:65536', 'names a host that is not valid: write each as host:port'],
    ['redis://:hunter2@a,b', 'names several hosts'],
    ['redis://:hunter2@redis/name', 'does not end in the number of a database: write'],
    ['redis://:hunter2@redis?family=6', 'has unknown options: write only sentinelPassword'],
    ['redis://:hunter2%zz@redis', 'write %25 for it'],
    ['redis+sentinel://:hunter2@a,b', 'does not name the master that the Sentinels watch: write'],
    ['redis+cluster://:hunter2@a,b/1', 'a cluster has only 0'],
  ])('%s is refused, and the sentence does not repeat it', (url, sentence) => {
    expect(() => parseRedisUrl(url)).toThrow(sentence);
    expect(() => parseRedisUrl(url)).not.toThrow(/hunter2/);
  });
});
