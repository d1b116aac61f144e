import { describe, expect, test } from '@jest/globals';
import { compactResult, endOf } from '../../src/lib/core/results.js';

const LOGO = `data:image/png;base64,${'A'.repeat(2_000)}`;
const LONG = 'x'.repeat(4_097);

function nested(levels: number): unknown {
  return JSON.parse(`${'['.repeat(levels)}1${']'.repeat(levels)}`);
}

describe('a kept result', () => {
  test.each<[string, Record<string, unknown> | null, Record<string, unknown> | null]>([
    ['nothing', null, null],
    ['an empty one', {}, null],
    [
      'nulls and empty values',
      { a: null, b: '', c: [], d: {}, e: [null, { f: '' }], g: 0, h: false },
      { g: 0, h: false },
    ],
    ['a logo', { name: 'A', logo: LOGO }, { name: 'A' }],
    [
      'a nested data URI',
      { images: [{ url: 'data:text/plain,hello' }, { url: 'https://a.example' }] },
      { images: [{ url: 'https://a.example' }] },
    ],
    [
      'a long text',
      { name: 'A', description: [{ title: 'About', description: LONG }] },
      { name: 'A', description: [{ title: 'About' }] },
    ],
    ['a damaged one, 150,000 deep', { name: 'A', deep: nested(150_000) }, { name: 'A' }],
    ['a text that speaks of data', { ceo: 'data: Ada' }, { ceo: 'data: Ada' }],
  ])('of %s', (_name, data, kept) => {
    expect(compactResult(data, { keepLarge: false })).toEqual(kept);
  });

  test('holds large values when they are asked for', () => {
    const data = { logo: LOGO, description: LONG };
    expect(compactResult({ ...data, ceo: null }, { keepLarge: true })).toEqual(data);
  });
});

test.each([
  ['COMPLETED', 'COMPLETED'],
  ['DATA_NOT_FOUND', 'DATA_NOT_FOUND'],
  ['FAILED', 'FAILED'],
  ['SCHEDULED', null],
  ['RUNNING', null],
  ['UNFINISHED', null],
  ['completed', null],
  [null, null],
])('the status %s is the end %s', (status, end) => {
  expect(endOf(status)).toBe(end);
});
