import type { Config } from 'jest';

export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // They need a node, which `make e2e` starts.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/system/e2e/'],
  // Node strips the types; without this line jest would call for babel.
  transform: {},
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.run/'],
  testSequencer: '<rootDir>/test/support/slowest-first.ts',
  // More than the two cores of a small machine, since most files wait most of the time.
  maxWorkers: 3,
  workerIdleMemoryLimit: '800MB',
  testTimeout: 300_000,
  setupFiles: ['<rootDir>/test/support/seed.ts'],
  globalSetup: '<rootDir>/test/support/setup.ts',
  globalTeardown: '<rootDir>/test/support/teardown.ts',
} satisfies Config;
