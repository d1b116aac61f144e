import { expect, test } from '@jest/globals';
import { isClean } from '../chaos/judge.js';
import { runSeed } from '../chaos/run-seed.js';

// The short form of `npm run chaos`: one seed, so that a broken promise shows in every run. More are in test/long.
test.each([['redis', 101]] as const)(
  'no row is lost, paid for twice, failed or held while everything goes wrong, on the %s engine with seed %i',
  async (engine, seed) => {
    const result = await runSeed({ engine, seed, rows: 200, troubleMs: 8_000, healMs: 120_000 });
    expect(result).toMatchObject({ acceptedOnce: 200, acceptedTwice: 0, lost: 0, failedWrongly: 0, held: 0 });
    expect(isClean(result)).toBe(true);
  },
  200_000,
);
