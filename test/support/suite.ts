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
