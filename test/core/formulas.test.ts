import { expect, test } from '@jest/globals';
import { escapeFormulas } from '../../src/reports/export-record.js';

test.each([
  ['=1+1', "'=1+1"],
  ['+1+cmd', "'+1+cmd"],
  ['-2+3+cmd|x', "'-2+3+cmd|x"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t'=1"],
  ['\r=1', "'\r'=1"],
  ['＝1+1', "'＝1+1"],
  ['＋1a', "'＋1a"],
  ['－1a', "'－1a"],
  ['＠SUM(A1)', "'＠SUM(A1)"],
  // Another separator than the file's own makes a cell of what follows it.
  ['x,=1+1', "x,'=1+1"],
  ['x;=1+1', "x;'=1+1"],
  ['x\t=1+1', "x\t'=1+1"],
  ['x|=1+1', "x|'=1+1"],
  ['x\n=1+1', "x\n'=1+1"],
  ['x, "=1+1"', 'x,\' "=1+1"'],
])('%j is written as %j', (text, expected) => {
  expect(escapeFormulas(text)).toBe(expected);
});

test.each([
  '+1-555-0137',
  '+49 (0) 30 1234.56',
  '-5',
  '+1 555 0137 x12',
  '+1-555-0100; +1-555-0101',
  'a=b',
  'info@acme.example',
  'A-B',
  '',
])('%j stays as it is', (text) => {
  expect(escapeFormulas(text)).toBe(text);
});
