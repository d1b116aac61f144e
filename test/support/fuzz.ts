import { bySuite } from './suite.js';

/** Runs of each property: `FUZZ_RUNS=20000 npm test -- test/fuzz` for a long search; `FUZZ_SEED` repeats one. */
const RUNS = Number(process.env.FUZZ_RUNS ?? bySuite([30], [250])[0]);

/** For `jest.setTimeout`: a long search takes its time. */
export const FUZZ_TIMEOUT_MS = 30_000 + RUNS * 20;

/** fast-check's parameters for a property that costs `cost` times as much as a cheap one. */
export function fuzz(cost = 1): { readonly numRuns: number; readonly seed?: number } {
  const { FUZZ_SEED } = process.env;
  return {
    numRuns: Math.max(1, Math.ceil(RUNS / cost)),
    ...(FUZZ_SEED === undefined ? {} : { seed: Number(FUZZ_SEED) }),
  };
}
