import { UsageError } from '../errors.js';

const SAMPLE_BYTES = 65_536;
const MAX_NUL_SHARE = 0.1;

const SPREADSHEET =
  'is a spreadsheet, not a CSV file: open it in Excel, choose File > Save As > "CSV UTF-8", and use that file.';
const PACKED = 'is a compressed file: unpack it first.';
const BINARY = 'is not a text file: save your table as CSV (UTF-8) and use that file.';

/** First bytes, in hexadecimal, of files that people take for CSV. */
const SIGNATURES: readonly (readonly [string, string, string])[] = [
  ['504b0304', 'FILE_IS_SPREADSHEET', SPREADSHEET],
  ['504b0506', 'FILE_IS_SPREADSHEET', SPREADSHEET],
  ['d0cf11e0', 'FILE_IS_SPREADSHEET', SPREADSHEET],
  ['1f8b', 'FILE_NOT_TEXT', PACKED],
  ['28b52ffd', 'FILE_NOT_TEXT', PACKED],
  ['25504446', 'FILE_NOT_TEXT', BINARY],
  ['89504e47', 'FILE_NOT_TEXT', BINARY],
  ['ffd8ff', 'FILE_NOT_TEXT', BINARY],
  ['7f454c46', 'FILE_NOT_TEXT', BINARY],
];

/** Beginnings of text that holds a table in another form; CRMs and banks save such files as `.xls` or `.csv`. */
const OTHER_TEXT: readonly (readonly [RegExp, string])[] = [
  [
    /^\s*<(?:[!?]|(?:html|head|body|meta|style|table|rss)\b)/i,
    'is HTML or XML, not a CSV file: open it in Excel, choose File > Save As > "CSV UTF-8", and use that file.',
  ],
  [/^\s*(?:\[\s*)?\{\s*"/, 'is JSON, not a CSV file: save your table as CSV (UTF-8) and use that file.'],
];

/** Throws UsageError when the first bytes of a file are those of a workbook, an archive or another kind that is no text. */
export function assertTextFile(head: Buffer, fileName: string): void {
  const start = head.toString('hex', 0, 8);
  for (const [signature, code, message] of SIGNATURES) {
    if (start.startsWith(signature)) throw new UsageError(code, `${fileName} ${message}`);
  }
}

/**
 * The same for decoded text: a table in another form than CSV, or a header with control characters or a text with many NULs,
 * which is no text. A NUL in some row may be.
 */
export function assertText(sample: string, headerRaw: string, fileName: string): void {
  const text = sample.slice(0, SAMPLE_BYTES);
  const nulls = text.split('\0').length - 1;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (/[\0-\x08\x0e-\x1f\x7f]/.test(headerRaw) || nulls > text.length * MAX_NUL_SHARE) {
    throw new UsageError('FILE_NOT_TEXT', `${fileName} ${BINARY}`);
  }
  for (const [beginning, message] of OTHER_TEXT) {
    if (beginning.test(text)) throw new UsageError('FILE_NOT_CSV', `${fileName} ${message}`);
  }
}
