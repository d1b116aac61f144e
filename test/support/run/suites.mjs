// What runs when. `npm test` leaves out the folder of the long suite; in either suite the files that measure time run
// one at a time after all others, because beside others they would measure the others.

/** Files of `npm run test:long`. */
export const LONG = 'test/long/';

/** Files that measure time. */
const ALONE = [
  'test/long/integration/dashboard-load.test.ts',
  'test/long/integration/store-pace.test.ts',
  'test/long/bench.test.ts',
  'test/long/storms.test.ts',
  'test/long/token-fleet.test.ts',
];

export function runsAlone(path) {
  return ALONE.some((file) => path.endsWith(file));
}
