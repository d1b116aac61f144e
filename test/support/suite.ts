import { test } from '@jest/globals';

/**
 * What of a table runs in which suite: `npm test` takes `short`, `npm run test:long` takes `rest`, jest alone takes all.
 * A file that calls this, or uses `ENGINES_IN_TURN`, is in both suites.
 */
export function bySuite<T>(short: readonly T[], rest: readonly T[]): readonly T[] {
  switch (process.env.TEST_SUITE) {
    case 'short':
      return short;
    case 'long':
      return rest;
    default:
      return [...short, ...rest];
  }
}

/** Declares no test. */
const left: Pick<typeof test, 'each'> & ((...args: Parameters<typeof test>) => void) = Object.assign(() => undefined, {
  each: () => () => undefined,
} as Pick<typeof test, 'each'>);

/** In place of `test` in a file that is in both suites, so that no test runs in both. */
export const testIn = {
  short: process.env.TEST_SUITE === 'long' ? left : test,
  long: process.env.TEST_SUITE === 'short' ? left : test,
};
