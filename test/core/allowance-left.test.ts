import { describe, expect, test } from '@jest/globals';
import { allowanceLeft } from '../../src/dashboard/allowance-left.js';

const ANSWER = { atMs: 1_000, allowance: { total: 640, used: 140, left: 500, source: 'zoho' } } as const;
const stopAt = (sinceMs: number, code = 'LIMIT_EXCEEDED') => ({
  stop: { code, message: '', sinceMs, key: null, line: null },
});

describe('what is left of the allowance', () => {
  test.each([
    ['nobody asked', null, { stop: null }, 0, null],
    ['Zoho did not tell', { atMs: 1_000, allowance: null }, { stop: null }, 0, null],
    ['nothing was submitted since Zoho told', ANSWER, { stop: null }, 0, 500],
    ['some rows were submitted since', ANSWER, { stop: null }, 30, 470],
    ['more rows were submitted than there was', ANSWER, { stop: null }, 501, 0],
    ['Zoho said later that it is spent', ANSWER, stopAt(1_001), 30, 0],
    ['Zoho granted more after it was spent', ANSWER, stopAt(999), 0, 500],
    ['the stop is another one', ANSWER, stopAt(1_001, 'PAUSED'), 0, 500],
  ])('when %s', (_, answer, control, submittedSince, left) => {
    expect(allowanceLeft(answer, control, submittedSince)?.left ?? null).toBe(left);
  });
});
