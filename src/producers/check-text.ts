import { assertNever } from '../lib/core/assert-never.js';
import { MAPPED_FIELDS, type MappedField } from '../lib/core/columns.js';
import { formatCount, formatRows } from '../lib/core/format.js';
import type { Finding, InputCheck } from '../lib/core/input-check.js';
import type { Keepable } from '../lib/core/row.js';
import type { ClassifyReport } from './classify-rows.js';

/** One line of the check of a file, such as `Read as` and `UTF-8, commas, header in line 1`. */
export interface CheckLine {
  readonly label: 'Columns' | 'Read as' | 'Rows' | 'Look at';
  readonly text: string;
}

/** The check of a file in words, the same wherever it is shown; `Look at` is left out when nothing was noticed. */
export function checkLines(report: ClassifyReport, module: string): readonly CheckLine[] {
  const { input } = report;
  const lines: readonly CheckLine[] = [
    { label: 'Columns', text: columnsText(input, module) },
    { label: 'Read as', text: readAsText(input) },
    { label: 'Rows', text: rowsText(report) },
  ];
  if (input.findings.length === 0) return lines;
  return [
    ...lines,
    { label: 'Look at', text: input.findings.map((finding) => findingText(finding, input)).join(' · ') },
  ];
}

/** What was noticed, one sentence each, for a page: without the flags of the command line, which it has no use for. */
export function findingTexts(input: InputCheck): readonly string[] {
  return input.findings.map((finding) =>
    findingText(finding, input)
      .replace(/[\s:;,(]*--[a-z-]+[^()]*\)?/, ' ')
      .trim(),
  );
}

/** The check of a file as text, one line each with its label in front. */
export function checkText(report: ClassifyReport, module: string): string {
  return checkLines(report, module)
    .map(({ label, text }) => `${label.padEnd(9)} ${text}`)
    .join('\n');
}

const FIELD_NAMES: Readonly<Record<MappedField, string>> = {
  name: 'name',
  email: 'email',
  website: 'website',
  recordId: 'record id',
};

function columnsText({ columns }: InputCheck, module: string): string {
  const found = MAPPED_FIELDS.flatMap((field) => {
    const column = columns[field];
    if (column === null) return [];
    const why = { header: '', values: ' (by its values)', remembered: ' (remembered)', flag: ' (--map)' }[column.from];
    return [`${FIELD_NAMES[field]} from ${quoted(column.header)}${why}`];
  });
  // Few files have record ids: that one is missing is nothing to tell.
  const missing = MAPPED_FIELDS.filter((field) => columns[field] === null && field !== 'recordId');
  const without = missing.length === 0 ? '' : `; no ${missing.map((field) => FIELD_NAMES[field]).join(' or ')} column`;
  return `${found.join(', ')} (module ${module})${without}`;
}

const MAX_HEADER_SHOWN = 60;

/** Headers are shown on terminals, so what is no character there is a `?`. */
function quoted(header: string): string {
  const safe = header.trim().replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '?');
  return `"${safe.length > MAX_HEADER_SHOWN ? `${safe.slice(0, MAX_HEADER_SHOWN)}…` : safe}"`;
}

const DELIMITERS: Readonly<Record<string, string>> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'pipes' };
const MAX_UNUSED_SHOWN = 2;

function readAsText({ encoding, delimiter, headerLine, unused }: InputCheck): string {
  const shown = unused.slice(0, MAX_UNUSED_SHOWN).map(quoted);
  const more = unused.length - shown.length;
  const names = `${shown.join(', ')}${more === 0 ? '' : ` and ${formatCount(more)} more`}`;
  const separators = DELIMITERS[delimiter] ?? delimiter;
  const form = `${encodingName(encoding)}, ${separators}, header in line ${headerLine}`;
  return unused.length === 0 ? form : `${form}; not used: ${names}`;
}

/** `UTF-8`, `windows-1252` */
export function encodingName(encoding: string): string {
  return encoding.startsWith('utf') ? encoding.toUpperCase() : encoding;
}

function rowsText(report: ClassifyReport): string {
  const { enqueued, replaced, duplicates, known, knownUnderOtherColumns, rejected } = report;
  const taken = replaced === 0 ? '' : ` (${formatCount(replaced)} in place of rows that wait under other columns)`;
  const others = knownUnderOtherColumns === 0 ? '' : ` (${formatCount(knownUnderOtherColumns)} under other columns)`;
  return `${formatCount(enqueued)} new${taken}, ${formatCount(duplicates)} repeated, ${formatCount(known)} known${others}, ${formatCount(rejected)} rejected`;
}

const KEPT: Readonly<Record<Keepable, string>> = {
  placeholders: 'placeholders',
  'shared-hosts': 'values on hosts of others',
};

function findingText(finding: Finding, input: InputCheck): string {
  const { code, fields = [] } = finding;
  const names = fields.map((field) => FIELD_NAMES[field]).join(' and ');
  switch (code) {
    case 'PLACEHOLDER':
      return `${counted(finding, 'placeholder', 'placeholders')} left out${linesText(finding)}`;
    case 'SHARED_HOST':
      return `${counted(finding, 'address', 'addresses')} at social networks, mail providers and the like left out${linesText(finding)}`;
    case 'LEGACY_ENCODING':
      return `not UTF-8 but ${encodingName(input.encoding)}: look at the accents, --encoding names another`;
    case 'SHORT_RECORD':
      return `${counted(finding, 'row has', 'rows have')} fewer cells than the header${linesText(finding)}`;
    case 'ONE_COMPANY':
      return `${formatRows(finding.count)} are ${formatCount(finding.companies ?? 0)} companies (--one-per ${finding.by ?? 'website'} takes one row each)`;
    case 'NEAR_DUPLICATE':
      return `${counted(finding, 'row has', 'rows have')} name and host of another, with another path${linesText(finding)}`;
    case 'UNLIKELY_COLUMN':
      return finding.swapped
        ? `the columns of ${names} look swapped: --map says which is which`
        : `most values of ${names} cannot be used: is it the right column? --map names another`;
    case 'UNUSABLE_VALUE':
      return `${counted(finding, 'value', 'values')} of ${names} cannot be used${linesText(finding)}`;
    case 'REMEMBERED_MAPPING':
      return `${names}: as chosen before for files with this header row, --map chooses anew`;
    case 'REMEMBERED_KEEP':
      return `${(finding.keep ?? []).map((one) => KEPT[one]).join(' and ')} are used, as chosen before for files with this header row: --keep nothing ends it`;
    case 'DUPLICATE_HEADER':
      return `${counted(finding, 'header is', 'headers are')} there more than once: --map website=#3 names a column by its position`;
    case 'SENT_WITHOUT_RECORD_ID':
      return `${counted(finding, 'row was', 'rows were')} paid without a record id: --again sends ${finding.count === 1 ? 'it' : 'them'} with it${linesText(finding)}`;
    case 'SENT_BY_NAME':
      return `${counted(finding, 'row counts', 'rows count')} as new although the name alone was paid for: several companies have it${linesText(finding)}`;
    default:
      return assertNever(code);
  }
}

function counted({ count: found }: Finding, one: string, several: string): string {
  return `${formatCount(found)} ${found === 1 ? one : several}`;
}

const MAX_LINES_IN_TEXT = 3;

function linesText({ lines }: Finding): string {
  if (lines.length === 0) return '';
  const shown = lines.slice(0, MAX_LINES_IN_TEXT);
  return ` (${shown.length === 1 ? 'line' : 'lines'} ${shown.join(', ')}${lines.length > shown.length ? ' ...' : ''})`;
}
