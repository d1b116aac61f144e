// What runs when, and in which order. `npm test` leaves out the folder of the long suite; in either suite the files that measure time run
// one at a time after all others, because beside others they would measure the others.

/** Files of `npm run test:long`. */
export const LONG = 'test/long/';

/** Files that measure time. */
const ALONE = ['test/long/integration/store-pace.test.ts', 'test/long/storms.test.ts', 'test/long/token-fleet.test.ts'];

/** Files that take long, mostly by waiting: begun first, so that none of them runs at the end with nothing beside it. */
const FIRST = [
  'test/integration/dashboard-rows-load.test.ts',
  'test/long/cluster.test.ts',
  'test/cli/retry.test.ts',
  'test/long/many-orphans.test.ts',
  'test/long/chaos.test.ts',
  'test/long/bench.test.ts',
  'test/integration/collect.test.ts',
  'test/long/collect-processes.test.ts',
  'test/long/browser/admin.test.ts',
  'test/integration/lost-history.test.ts',
  'test/cli/commands.test.ts',
  'test/long/browser/accessibility.test.ts',
  'test/integration/engine-processes.test.ts',
  'test/integration/chaos.test.ts',
  'test/integration/permits.test.ts',
  'test/integration/worker.test.ts',
  'test/integration/dead-worker.test.ts',
  'test/integration/redis-away.test.ts',
  'test/cli/doctor.test.ts',
  'test/cli/quickstart.test.ts',
  'test/cli/rows.test.ts',
];

/** 0 for the file to begin with; the same for all that may come whenever, behind those that may not. */
export function placeInOrder(path) {
  const place = FIRST.findIndex((file) => path.endsWith(file));
  return place === -1 ? FIRST.length : place;
}

export function runsAlone(path) {
  return ALONE.some((file) => path.endsWith(file));
}
