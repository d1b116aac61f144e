import { expect, test } from '@jest/globals';
import { formatDuration, formatRows } from '../../src/lib/core/format.js';

test.each([
  [0, '0 s'],
  [0.2, '1 s'],
  [99, '99 s'],
  [100, '2 min'],
  [5_900, '98 min'],
  [5_999, '1 h 40 min'],
  [6_000, '1 h 40 min'],
  [200_000, '2 days'],
  [Number.POSITIVE_INFINITY, '?'],
])('a duration of %d seconds is %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test('one row is one row', () => {
  expect([formatRows(0), formatRows(1), formatRows(12_345)]).toEqual(['0 rows', '1 row', '12,345 rows']);
});
