import type { Sizes } from './figure.js';

/** The sizes that the figures of docs/performance.md are about. */
export const WHOLE: Sizes = {
  runs: 5,
  rows: 200_000,
  memoryRows: [10_000, 100_000, 1_000_000],
  submitRows: 20_000,
  slowRows: 1_000,
  queued: [10_000, 100_000, 1_000_000],
  exportRows: 100_000,
  embeddedRows: 5_000,
};

/** Enough to see that everything works, and for what does not depend on time. */
export const QUICK: Sizes = {
  runs: 1,
  rows: 5_000,
  memoryRows: [2_000, 20_000],
  submitRows: 2_000,
  slowRows: 100,
  queued: [1_000, 5_000],
  exportRows: 2_000,
  embeddedRows: 300,
};

/** `sizes` with the changes of `--size name=N` or `name=N,N`. Throws an Error that says what is possible. */
export function withSizes(sizes: Sizes, changes: readonly string[]): Sizes {
  const changed: Record<string, number | readonly number[]> = { ...sizes };
  for (const change of changes) {
    const [name = '', list = ''] = change.split('=');
    const numbers = list.split(',').map(Number);
    const [first = Number.NaN] = numbers;
    if (changed[name] === undefined || numbers.some((number) => !Number.isSafeInteger(number) || number < 1)) {
      throw new Error(`--size ${change} is none of ${Object.keys(sizes).join(', ')} with whole numbers.`);
    }
    changed[name] = Array.isArray(changed[name]) ? numbers : first;
  }
  return changed as unknown as Sizes; // the names and the kinds of `sizes`
}
