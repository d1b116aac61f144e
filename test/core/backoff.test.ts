import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../src/lib/core/backoff.js';

const policy = fc.record({ baseMs: fc.integer({ min: 1, max: 10_000 }), capMs: fc.integer({ min: 1, max: 100_000 }) });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('is an integer never above the cap, whatever the attempt', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), policy, random, (attempt, limits, r) => {
      const delay = backoffMs(attempt, limits, r);
      expect(Number.isInteger(delay)).toBe(true);
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThanOrEqual(limits.capMs);
    }),
  );
});

test('never shrinks from one attempt to the next for the same randomness', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), policy, random, (attempt, limits, r) => {
      expect(backoffMs(attempt + 1, limits, r)).toBeGreaterThanOrEqual(backoffMs(attempt, limits, r));
    }),
  );
});

test.each([
  [1, 0, 500],
  [1, 0.999, 1000],
  [2, 0.5, 1500],
  [4, 0, 4000],
  [10, 0, 30_000],
])('attempt %i with randomness %d waits %i ms for base 1 s and cap 60 s', (attempt, r, expected) => {
  expect(backoffMs(attempt, { baseMs: 1000, capMs: 60_000 }, r)).toBe(expected);
});

test('refuses an attempt below 1', () => {
  expect(() => backoffMs(0, { baseMs: 1, capMs: 1 }, 0)).toThrow(RangeError);
});
