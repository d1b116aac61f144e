import { expect, test } from '@jest/globals';
import { createWriter } from '../../src/reports/export-writer.js';

const headers = ['Zia_Owner', 'zia_status', ' ZIA_Notes ', 'Company', 'zia_line', 'zia_score'];
const cells = ['Sam', 'enriched', 'old', 'Acme', '7', '5'];
const form = {
  headers,
  headerRaw: headers.join(),
  width: headers.length,
  delimiter: ',',
  lineEnd: '\n',
  marked: false,
};
const record = { cells, raw: cells.join(), damaged: false };
const outcome = { status: 'waiting' as const, notes: [] };

test('an export replaces the columns of an earlier one, and no other whose name begins with zia_', () => {
  const writer = createWriter('csv', form);
  expect(writer.head).toMatch(/^Zia_Owner,Company,zia_score,zia_status,zia_enrichment_id,/);
  expect(writer.record(record, outcome)).toMatch(/^Sam,Acme,5,waiting,,/);
});

test('so does NDJSON', () => {
  const written = JSON.parse(createWriter('ndjson', form).record(record, outcome));
  expect(written.record).toEqual({ Zia_Owner: 'Sam', Company: 'Acme', zia_score: '5' });
});
