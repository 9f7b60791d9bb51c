import { expect, test } from '@jest/globals';
import { readConfig } from '../../../gateway/config.ts';

test('reads how much memory and disk bodies may take, in the notation of Kubernetes', () => {
  const env = { REDIS_URL: 'redis://127.0.0.1:6379', POD_NAME: 'gateway-1' };
  expect(readConfig(env)).toMatchObject({
    bodyMemoryBytes: 192 * 2 ** 20,
    bodyFileBytes: 2 ** 30,
    shutdownDelayMs: 15_000,
  });
  const told = { TOLLGATE_BODY_MEMORY: '1000', TOLLGATE_BATCH_STORAGE: '4Gi', TOLLGATE_SHUTDOWN_DELAY_SECONDS: '0' };
  expect(readConfig({ ...env, ...told })).toMatchObject({
    bodyMemoryBytes: 1000,
    bodyFileBytes: 4 * 2 ** 30,
    shutdownDelayMs: 0,
  });
  expect(() => readConfig({ ...env, TOLLGATE_BATCH_STORAGE: '4G' })).toThrow(
    'TOLLGATE_BATCH_STORAGE is "4G": write a size such as',
  );
  expect(() => readConfig({ ...env, TOLLGATE_SHUTDOWN_DELAY_SECONDS: '1m' })).toThrow(
    'TOLLGATE_SHUTDOWN_DELAY_SECONDS is "1m": write a whole number',
  );
});
