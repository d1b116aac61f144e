/** One figure over several runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** In the order they were measured. */
  readonly values: readonly number[];
}

/** Throws when there is nothing to take a median of. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined) {
    throw new Error('A figure needs at least one run.');
  }
  return { median: (low + high) / 2, min, max, values };
}

/** Measures one thing several times. */
export async function repeated<T>(runs: number, measure: () => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  for (let run = 0; run < runs; run++) results.push(await measure());
  return results;
}

/**
 * Measures two things in turn, the first of a pair changing places: what else the machine does then hits both alike.
 */
export async function paired<A, B>(
  runs: number,
  ours: () => Promise<A>,
  peer: () => Promise<B>,
): Promise<readonly { readonly ours: A; readonly peer: B }[]> {
  const pairs: { ours: A; peer: B }[] = [];
  for (let run = 0; run < runs; run++) {
    if (run % 2 === 0) {
      const first = await ours();
      pairs.push({ ours: first, peer: await peer() });
    } else {
      const first = await peer();
      pairs.push({ peer: first, ours: await ours() });
    }
  }
  return pairs;
}
