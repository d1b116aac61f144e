import { assertNever } from './assert-never.js';
import type { Finding } from './input-check.js';
import { count, rows } from './wording.js';

const FIELD_WORDS = { name: 'company name', email: 'email', website: 'website', recordId: 'record id' } as const;

/** What the check of a file noticed, as a sentence for people, without the lines. */
export function findingWords({ code, count: many, fields = [], companies, by }: Finding): string {
  const named = fields.map((field) => FIELD_WORDS[field]).join(' and ');
  switch (code) {
    case 'PLACEHOLDER':
      return `${count(many)} ${many === 1 ? 'placeholder' : 'placeholders'} such as N/A or test will not be sent.`;
    case 'SHARED_HOST':
      return `${count(many)} ${many === 1 ? 'value' : 'values'} on social networks, link shorteners or free mail will not be sent: they belong to others.`;
    case 'LEGACY_ENCODING':
      return 'The file is not UTF-8: check that names with accents look right.';
    case 'SHORT_RECORD':
      return `${rows(many)} ${many === 1 ? 'has' : 'have'} fewer cells than the header.`;
    case 'ONE_COMPANY':
      return `${rows(many)} are ${companies === undefined ? 'few' : count(companies)} companies by their ${by ?? 'website'}: each row is paid for.`;
    case 'NEAR_DUPLICATE':
      return `${rows(many)} ${many === 1 ? 'looks' : 'look'} like another row of the file: same name and website, another page of it.`;
    case 'UNLIKELY_COLUMN':
      return `The column for ${named === '' ? 'a field' : named} does not look like one: check the columns.`;
    case 'REMEMBERED_MAPPING':
      return 'The columns are those chosen last for a file with this header row.';
    case 'DUPLICATE_HEADER':
      return `${count(many)} ${many === 1 ? 'column has' : 'columns have'} the same header as another.`;
    default:
      return assertNever(code);
  }
}

/** `(lines 7, 19, 33 …)`; empty for a finding about columns. */
export function findingLines({ count: many, lines }: Finding): string {
  if (lines.length === 0) return '';
  const shown = lines.slice(0, 5);
  return ` (${many === 1 ? 'line' : 'lines'} ${shown.map(count).join(', ')}${many > shown.length ? ' …' : ''})`;
}
