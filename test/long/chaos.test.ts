import { expect, test } from '@jest/globals';
import { isClean } from '../chaos/judge.js';
import { runSeed } from '../chaos/run-seed.js';

test.each([
  ['redis', 102],
  ['embedded', 103],
] as const)(
  'no row is lost, paid for twice, failed or held while everything goes wrong, on the %s engine with seed %i',
  async (engine, seed) => {
    const result = await runSeed({ engine, seed, rows: 200, troubleMs: 8_000, healMs: 120_000 });
    expect(result).toMatchObject({ acceptedOnce: 200, acceptedTwice: 0, lost: 0, failedWrongly: 0, held: 0 });
    expect(isClean(result)).toBe(true);
  },
  200_000,
);

test('no row is accepted beyond a budget while everything goes wrong, on redis with seed 104', async () => {
  const result = await runSeed({
    engine: 'redis',
    seed: 104,
    rows: 200,
    budget: 120,
    troubleMs: 8_000,
    healMs: 120_000,
  });
  expect(result).toMatchObject({
    overBudget: 0,
    acceptedOnce: 200,
    acceptedTwice: 0,
    lost: 0,
    failedWrongly: 0,
    held: 0,
  });
  expect(isClean(result)).toBe(true);
}, 300_000);
