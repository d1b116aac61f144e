import { availableParallelism } from 'node:os';

export default {
  testEnvironment: '<rootDir>/test/support/run/environment.mjs',
  testSequencer: '<rootDir>/test/support/run/sequencer.mjs',
  runner: '<rootDir>/test/support/run/runner.mjs',
  reporters: ['default', '<rootDir>/test/support/run/slowest-files.mjs'],
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  // A machine that does much else may take long; a test that waits in vain ends at the deadline of its own wait.
  testTimeout: 60_000,
  workerGracefulExitTimeout: 10_000,
  // Most files wait most of the time.
  maxWorkers: Math.max(4, availableParallelism()),
};
