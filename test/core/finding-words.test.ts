import { expect, test } from '@jest/globals';
import { findingLines, findingWords } from '../../src/lib/core/finding-words.js';
import type { Finding } from '../../src/lib/core/input-check.js';

const found = (finding: Partial<Finding> & Pick<Finding, 'code'>): Finding => ({ count: 1, lines: [], ...finding });

test.each([
  [found({ code: 'PLACEHOLDER', count: 12, lines: [7, 19] }), '12 placeholders such as N/A or test will not be sent.'],
  [found({ code: 'SHORT_RECORD' }), '1 row has fewer cells than the header.'],
  [
    found({ code: 'ONE_COMPANY', count: 1_204, companies: 310, by: 'website' }),
    '1,204 rows are 310 companies by their website: each row is paid for.',
  ],
  [
    found({ code: 'UNLIKELY_COLUMN', fields: ['name', 'website'] }),
    'The column for company name and website does not look like one: check the columns.',
  ],
])('findings are told in a sentence: %j', (finding, sentence) => {
  expect(findingWords(finding)).toBe(sentence);
});

test('lines are named, the first five of them', () => {
  expect(findingLines(found({ code: 'PLACEHOLDER', count: 1, lines: [1_007] }))).toBe(' (line 1,007)');
  const lines = [7, 19, 33, 40, 41, 52];
  expect(findingLines(found({ code: 'PLACEHOLDER', count: 60, lines }))).toBe(' (lines 7, 19, 33, 40, 41 …)');
  expect(findingLines(found({ code: 'REMEMBERED_MAPPING' }))).toBe('');
});
