import type { Config } from 'jest';
import base from './jest.config.ts';

/** Tests on a real node, which `make e2e` starts: one file after the other, as they share it. */
export default {
  ...base,
  testMatch: ['<rootDir>/test/system/e2e/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
  testTimeout: 180_000,
  setupFiles: [],
  globalSetup: undefined,
  globalTeardown: undefined,
} satisfies Config;
