import { spawn } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findColumns } from '../../src/lib/core/columns.js';
import { cellsOf } from '../../src/lib/csv/cells.js';
import { type CsvRecord, type CsvSource, openCsv } from '../../src/lib/csv/csv-source.js';
import { type Dialect, MAX_RECORD_LENGTH, RecordCutter } from '../../src/lib/csv/record-cutter.js';
import { type FileRow, readRows } from '../../src/lib/csv/row-reader.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/csv/${name}`, import.meta.url));

const ROWS = [
  ['Café Olé GmbH', 'info@cafe-ole.example', 'cafe-ole.example', 'Zürich'],
  ['Øresund & Søn', 'post@oresund.example', 'www.oresund.example', 'København'],
];

let scratch = '';
const opened: CsvSource[] = [];

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'zia-csv-test-'));
});
afterEach(async () => {
  for (const source of opened.splice(0)) await source.close();
  await rm(scratch, { recursive: true, force: true });
});

async function open(path: string, stdin?: Readable): Promise<CsvSource> {
  const source = await openCsv(path, stdin === undefined ? {} : { stdin });
  opened.push(source);
  return source;
}

async function openText(text: string | Buffer): Promise<CsvSource> {
  const path = join(scratch, `input-${opened.length}.csv`);
  await writeFile(path, text);
  return open(path);
}

async function recordsOf(source: CsvSource): Promise<CsvRecord[]> {
  const records: CsvRecord[] = [];
  for await (const batch of source.batches()) records.push(...batch);
  return records;
}

async function rowsOf(source: CsvSource): Promise<FileRow[]> {
  const found = findColumns(source.headers, {});
  if (!found.ok) throw new Error(found.message);
  const rows: FileRow[] = [];
  for await (const batch of readRows(source, { columns: found.columns, module: 'Accounts' })) rows.push(...batch);
  return rows;
}

const cellsIn = async (source: CsvSource) => (await recordsOf(source)).map((record) => record.cells);

describe('openCsv reads every usual form of a file', () => {
  test.each([
    ['utf8.csv', { encoding: 'utf-8', bom: false, delimiter: ',', lineEnd: '\n' }],
    ['utf8-bom.csv', { encoding: 'utf-8', bom: true, delimiter: ',', lineEnd: '\n' }],
    ['utf16le-bom.csv', { encoding: 'utf-16le', bom: true, delimiter: ',', lineEnd: '\n' }],
    ['utf16be-bom.csv', { encoding: 'utf-16be', bom: true, delimiter: ',', lineEnd: '\n' }],
    ['crlf.csv', { encoding: 'utf-8', bom: false, delimiter: ',', lineEnd: '\r\n' }],
    ['cr-only.csv', { encoding: 'utf-8', bom: false, delimiter: ',', lineEnd: '\r' }],
    ['tab.csv', { encoding: 'utf-8', bom: false, delimiter: '\t', lineEnd: '\n' }],
    ['pipe.csv', { encoding: 'utf-8', bom: false, delimiter: '|', lineEnd: '\n' }],
  ])('%s', async (name, form) => {
    const source = await open(fixture(name));
    expect(source).toMatchObject({ ...form, headers: ['Company', 'Email', 'Website', 'City'], width: 4, rowCount: 2 });
    expect(await cellsIn(source)).toEqual(ROWS);
  });

  test('Windows-1252 when it is not UTF-8, with its curly quotes and euro sign', async () => {
    const source = await open(fixture('windows-1252.csv'));
    expect(source).toMatchObject({ encoding: 'windows-1252', bom: false, rowCount: 3 });
    const cells = await cellsIn(source);
    expect(cells.slice(0, 2)).toEqual(ROWS);
    expect(cells[2]?.[0]).toBe('O’Brien – “Fine” Foods €');
  });

  test('Windows-1252 when the first byte that is not UTF-8 comes late', async () => {
    const late = Buffer.from([0xc9, 0x0a]);
    const source = await openText(Buffer.concat([Buffer.from(`Company\n${'Acme Ltd\n'.repeat(80_000)}`), late]));
    expect(source).toMatchObject({ encoding: 'windows-1252', rowCount: 80_001 });
    expect((await recordsOf(source)).at(-1)?.raw).toBe('É');
  });

  test('characters that lie across the border of two chunks', async () => {
    const text = `Company,City\n${'Łódź 株式 🚀,Kraków\n'.repeat(40_000)}`;
    const bytes: Record<string, Buffer> = {
      'utf-8': Buffer.from(text),
      'utf-16le': Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]),
      'utf-16be': Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(text, 'utf16le').swap16()]),
    };
    for (const [encoding, content] of Object.entries(bytes)) {
      const source = await openText(content);
      expect(source.encoding).toBe(encoding);
      expect(new Set((await recordsOf(source)).map((record) => record.raw))).toEqual(new Set(['Łódź 株式 🚀,Kraków']));
    }
  });

  test('UTF-16 that was cut in the middle of a character', async () => {
    for (const mark of [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])]) {
      const text = Buffer.from('Company\nAcme Ltd\nBeta Lt', 'utf16le');
      const source = await openText(
        Buffer.concat([mark, mark[0] === 0xff ? text : text.swap16(), Buffer.from([0x64])]),
      );
      expect((await rowsOf(source)).map((row) => row.parsed.ok)).toEqual([true, false]);
    }
  });

  test('semicolons, with commas inside the cells', async () => {
    const source = await open(fixture('semicolon.csv'));
    expect(source.delimiter).toBe(';');
    expect((await cellsIn(source))[0]?.[0]).toBe('Café Olé GmbH, Bar');
  });

  test('one column whose values contain commas', async () => {
    const source = await open(fixture('one-column.csv'));
    expect(source.width).toBe(1);
    expect(await cellsIn(source)).toEqual([['Acme, Inc.'], ['Beta LLC']]);
  });

  test('a header whose quoted cells contain other delimiters', async () => {
    const source = await openText('"Company; legal, full",Email\n"A; B, C",info@abc.example\n');
    expect(source).toMatchObject({ delimiter: ',', headers: ['Company; legal, full', 'Email'] });
  });

  test('ragged rows, short and long', async () => {
    const source = await open(fixture('ragged.csv'));
    expect(source.width).toBe(6);
    expect((await cellsIn(source)).map((cells) => cells.length)).toEqual([1, 3, 6]);
    expect((await rowsOf(source)).map(({ parsed }) => parsed.ok || parsed.code)).toEqual([
      'TOO_FEW_CELLS',
      true,
      'TOO_MANY_CELLS',
    ]);
  });

  test('blank lines, which are no rows but count as lines', async () => {
    const source = await open(fixture('blank-lines.csv'));
    expect(source.rowCount).toBe(2);
    expect((await recordsOf(source)).map((record) => record.lineNumber)).toEqual([5, 8]);
  });

  test('quoted commas, quotes and line breaks, byte for byte in raw', async () => {
    const source = await open(fixture('quoted.csv'));
    const records = await recordsOf(source);
    expect(records).toEqual([
      {
        lineNumber: 2,
        raw: '"Smith, Jones & Co",info@smith.example,"He said ""hello"""',
        cells: ['Smith, Jones & Co', 'info@smith.example', 'He said "hello"'],
        damaged: false,
      },
      {
        lineNumber: 3,
        raw: '"Two\nLines Ltd",info@two.example,"a\r\nb\n\nc"',
        cells: ['Two\nLines Ltd', 'info@two.example', 'a\r\nb\n\nc'],
        damaged: false,
      },
      {
        lineNumber: 8,
        raw: 'Pipes 5" wide,info@pipes.example,"" ',
        cells: ['Pipes 5" wide', 'info@pipes.example', '"" '],
        damaged: false,
      },
      {
        lineNumber: 9,
        raw: '"ACME" Corp,info@acme.example,x',
        cells: ['"ACME" Corp', 'info@acme.example', 'x'],
        damaged: false,
      },
    ]);
  });

  test('a last line without line end', async () => {
    const source = await open(fixture('no-final-newline.csv'));
    expect(await cellsIn(source)).toEqual([
      ['Acme', 'acme.example'],
      ['Beta, Ltd', 'beta.example'],
    ]);
  });

  test('headers that repeat, are empty or are spaced, by position', async () => {
    const source = await openText('Company,, Company ,\nA Ltd,b,C Ltd,d\n');
    expect(source.headers).toEqual(['Company', '', ' Company ', '']);
  });

  test('the same rows again on every pass', async () => {
    const source = await open(fixture('utf8.csv'));
    expect(await cellsIn(source)).toEqual(await cellsIn(source));
  });
});

describe('openCsv with quotes that do not match', () => {
  test('refuses the line that opens one and reads on with the next', async () => {
    const rows = await rowsOf(await open(fixture('unclosed-quote.csv')));
    expect(rows.map((row) => [row.lineNumber, row.raw, row.parsed.ok || row.parsed.code])).toEqual([
      [2, 'Alpha Ltd,alpha.example,Bonn', true],
      [3, '"Broken Ltd,broken.example,Kiel', 'UNREADABLE'],
      [4, 'Gamma Ltd,gamma.example,Trier', true],
      [5, '"Delta, Ltd",delta.example,Mainz', true],
      [6, '"Never closed,never.example,Ulm', 'UNREADABLE'],
      [7, 'Eta Ltd,eta.example,Jena', true],
      [8, 'cut off', 'UNREADABLE'],
    ]);
  });

  test('refuses a line with text after a quoted delimiter, and no other', async () => {
    const source = await openText(
      'Company,Website,City\n"Acme Inc,acme.example,"Berlin"\nBeta Ltd,beta.example,Bonn\n',
    );
    expect((await rowsOf(source)).map((row) => row.parsed.ok)).toEqual([false, true]);
  });

  test('refuses the line of a quote that swallows more than a record may hold, and no other', async () => {
    const text = `Company,City\nAlpha Ltd,Bonn\n"Broken Ltd,Kiel\n${'Gamma Ltd,Trier\n'.repeat(80_000)}`;
    const rows = await rowsOf(await openText(text));
    expect(rows.filter(({ parsed }) => !parsed.ok).map(({ lineNumber }) => lineNumber)).toEqual([3]);
    expect(rows).toHaveLength(80_002);
  });

  test('reads a record just as long as one may be, over several chunks', async () => {
    const long = 'x'.repeat(MAX_RECORD_LENGTH - 20);
    const source = await openText(`Company,Note\nAcme Ltd,"${long}"\nBeta Ltd,y\n`);
    expect((await recordsOf(source)).map((record) => record.cells[1]?.length)).toEqual([long.length, 1]);
  });

  test('refuses a line that is longer than a record may be, and no other', async () => {
    const rows = await rowsOf(await openText(`Company\nAlpha Ltd\n${'x'.repeat(3 * MAX_RECORD_LENGTH)}\nBeta Ltd\n`));
    expect(rows.map(({ lineNumber, parsed }) => [lineNumber, parsed.ok || parsed.code])).toEqual([
      [2, true],
      [3, 'UNREADABLE'],
      [4, true],
    ]);
    expect(rows[1]?.raw).toHaveLength(MAX_RECORD_LENGTH);
  });

  test('refuses a record with half a character, which only UTF-16 can hold', async () => {
    const text = 'Company,Website\n"Ac\ud800me",acme.example\nBeta Ltd,beta.example\n';
    const source = await openText(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]));
    expect((await rowsOf(source)).map((row) => row.parsed.ok)).toEqual([false, true]);
  });
});

describe('the record cutter', () => {
  const letters = fc.constantFrom('a', '"', '"', ',', ';', '\n', '\r', '\r\n', ' ', '\t', 'é', '🚀');
  const text = fc.array(letters, { maxLength: 60 }).map((parts) => parts.join(''));
  const dialects = fc.constantFrom<Dialect>(
    { delimiter: ',', newline: '\n' },
    { delimiter: ';', newline: '\n' },
    { delimiter: '\t', newline: '\r' },
  );

  // Where a record starts is told by its line: its text may also stand in a blank line before it.
  const offsetOfLine = (lines: readonly string[], lineNumber: number) =>
    lines.slice(0, lineNumber - 1).reduce((offset, line) => offset + line.length + 1, 0);

  test('loses nothing, numbers lines right and agrees with csv-parse, whatever the text', () => {
    fc.assert(
      fc.property(text, dialects, (content, dialect) => {
        const records = new RecordCutter(dialect).feed(content, true);
        const lines = content.split(dialect.newline);
        let at = 0;
        for (const record of records) {
          const start = offsetOfLine(lines, record.lineNumber);
          expect(content.startsWith(record.raw, start)).toBe(true);
          expect(content.slice(at, start).replace(/"\s*"/g, '').replaceAll(dialect.delimiter, '').trim()).toBe('');
          expect(start).toBeGreaterThanOrEqual(at);
          at = start + record.raw.length;
        }
        expect(content.slice(at).replace(/"\s*"/g, '').replaceAll(dialect.delimiter, '').trim()).toBe('');
        const cells = cellsOf(records, dialect);
        for (const [index, record] of records.entries()) {
          if (!record.damaged) expect(cells[index]?.length).toBe(record.width);
        }
      }),
      { numRuns: 1_000, examples: [['"",\n"', { delimiter: ',', newline: '\n' }]] },
    );
  });

  test('finds the same records however the text is cut into chunks', () => {
    fc.assert(
      fc.property(text, dialects, fc.integer({ min: 1, max: 7 }), (content, dialect, size) => {
        const whole = new RecordCutter(dialect).feed(content, true);
        const cutter = new RecordCutter(dialect);
        const pieces = [];
        for (let at = 0; at < content.length; at += size)
          pieces.push(...cutter.feed(content.slice(at, at + size), false));
        pieces.push(...cutter.feed('', true));
        expect(pieces).toEqual(whole);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a record of the greatest length', () => {
  test.each(['\n', '\r\n', ''])('is read, and one character more is refused, before a line end %j', (lineEnd) => {
    for (const more of [0, 1]) {
      const text = `A\n${'a'.repeat(MAX_RECORD_LENGTH + more)}${lineEnd}`;
      for (const cut of [text.length - 2, text.length - 1, text.length]) {
        const cutter = new RecordCutter({ delimiter: ',', newline: '\n' });
        const records = [...cutter.feed(text.slice(0, cut), false), ...cutter.feed(text.slice(cut), true)];
        expect(records.map(({ tooLong }) => tooLong === true)).toEqual([false, more === 1]);
      }
    }
  });
});

describe('openCsv refuses with one sentence and exit code 2', () => {
  test.each([
    ['workbook.xlsx', 'FILE_IS_SPREADSHEET', 'CSV UTF-8'],
    ['workbook.xls', 'FILE_IS_SPREADSHEET', 'Save As'],
    ['binary.csv', 'FILE_NOT_TEXT', 'not a text file'],
    ['utf16-without-bom.csv', 'FILE_NOT_TEXT', 'save your table as CSV'],
    ['utf8-bom-damaged.csv', 'FILE_NOT_UTF8', 'marked as UTF-8'],
    ['empty.csv', 'FILE_EMPTY', 'is empty'],
    ['only-blank-lines.csv', 'FILE_EMPTY', 'is empty'],
    ['header-only.csv', 'FILE_HAS_NO_ROWS', 'no rows'],
    ['bad-header.csv', 'BAD_HEADER', 'line 1'],
    ['missing.csv', 'FILE_NOT_FOUND', 'no file'],
    ['utf8.csv/below.csv', 'FILE_NOT_FOUND', 'no file'],
    ['', 'NOT_A_FILE', 'is a directory'],
  ])('%j', async (name, code, words) => {
    const error = await openCsv(fixture(name)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, exitCode: 2, message: expect.stringContaining(words) });
    expect(error).toMatchObject({ message: expect.stringContaining(fixture(name)) });
  });

  test.each([
    ['<table border="1">\n<tr><th>Company</th></tr>\n', 'is HTML or XML'],
    ['\ufeff<!DOCTYPE html>\n<html>\n', 'is HTML or XML'],
    ['<?xml version="1.0"?>\n<Workbook>\n', 'is HTML or XML'],
    ['<html><table><tr><td>Company</td></tr></table></html>', 'is HTML or XML'],
    ['[\n  {"name":"Acme","website":"acme.com"}\n]\n', 'is JSON'],
    ['{"name":"Acme","website":"acme.com"}\n{"name":"Beta","website":"beta.com"}\n', 'is JSON'],
  ])('%j, a table in another form than CSV', async (text, words) => {
    await expect(openText(text)).rejects.toMatchObject({
      code: 'FILE_NOT_CSV',
      exitCode: 2,
      message: expect.stringContaining(words),
    });
  });

  test.each(['[Company],[Website]\nAcme Ltd,acme.com\n', '<Company>,Website\nAcme Ltd,acme.com\n'])(
    'but not %j, whose headers are in brackets',
    async (text) => {
      const rows = await rowsOf(await openText(text));
      expect(rows.map((row) => row.parsed.ok)).toEqual([true]);
    },
  );

  test('a path that the system will not read', async () => {
    await expect(openCsv(join(scratch, 'x'.repeat(5_000)))).rejects.toMatchObject({ code: 'FILE_NOT_READABLE' });
  });

  test('takes a NUL in some row for a flaw of that row', async () => {
    const rows = await rowsOf(await openText('Company\nAc\0me Ltd\nBeta Ltd\nGamma Ltd\n'));
    expect(rows.map((row) => row.parsed.ok)).toEqual([false, true, true]);
  });
});

describe('a file that changes while it is read', () => {
  const big = `Company\n${'Acme Ltd\n'.repeat(100_000)}`;

  test.each<[string, (path: string) => Promise<void>]>([
    ['grows', (path) => appendFile(path, 'Beta Ltd\n')],
    ['shrinks', (path) => writeFile(path, 'Company\nBeta Ltd\n')],
    ['is written again with as many bytes', (path) => writeFile(path, big.replaceAll('Acme', 'Beta'))],
    ['is only touched', (path) => utimes(path, new Date(0), new Date(0))],
  ])('is an error when it %s', async (_, change) => {
    const path = join(scratch, 'changing.csv');
    await writeFile(path, big);
    const source = await open(path);
    const read = async () => {
      for await (const batch of source.batches()) if (batch[0]?.lineNumber === 2) await change(path);
    };
    await expect(read()).rejects.toMatchObject({ code: 'FILE_CHANGED', exitCode: 2 });
  });

  test.each(['replaced', 'removed'])('is an error when it is %s', async (how) => {
    const path = join(scratch, 'changing.csv');
    await writeFile(path, big);
    await utimes(path, 1_700_000_000, 1_700_000_000);
    const source = await open(path);
    const { atime, mtime } = await stat(path);
    await rename(path, join(scratch, 'old.csv'));
    if (how === 'replaced') {
      await writeFile(path, big);
      await utimes(path, atime, mtime);
    }
    await expect(recordsOf(source)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
  });

  test('is an error when it changed between two passes', async () => {
    const path = join(scratch, 'changing.csv');
    await writeFile(path, big);
    const source = await open(path);
    await recordsOf(source);
    await appendFile(path, 'Beta Ltd\n');
    await expect(source.batches()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'FILE_CHANGED' });
  });
});

describe('standard input and pipes', () => {
  const leftovers = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('zia-enrich-'));

  test('are read like a file, as often as needed, and leave nothing behind', async () => {
    const before = await leftovers();
    const source = await open('-', Readable.from([Buffer.from('Company;City\nCaf'), Buffer.from('é;Bonn\n')]));
    expect(source).toMatchObject({ path: '-', delimiter: ';', rowCount: 1 });
    expect(await cellsIn(source)).toEqual([['Café', 'Bonn']]);
    expect(await cellsIn(source)).toEqual([['Café', 'Bonn']]);
    await source.close();
    await source.close();
    expect((await leftovers()).filter((name) => !before.includes(name))).toEqual([]);
  });

  test('that are empty are refused by name', async () => {
    await expect(openCsv('-', { stdin: Readable.from([]) })).rejects.toMatchObject({
      code: 'FILE_EMPTY',
      message: expect.stringContaining('standard input'),
    });
  });

  test('work as a named pipe too', async () => {
    const path = join(scratch, 'pipe');
    await new Promise((resolve) => spawn('mkfifo', [path]).on('close', resolve));
    const writer = spawn('sh', ['-c', 'cat "$0" > "$1"', fixture('utf8.csv'), path]);
    const source = await open(path);
    await new Promise((resolve) => (writer.exitCode === null ? writer.on('close', resolve) : resolve(null)));
    expect(await cellsIn(source)).toEqual(ROWS);
  });
});

describe('the example file', () => {
  const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

  test('becomes of each row what its first column expects', async () => {
    const source = await open(example('accounts.csv'));
    const seen = new Set<string>();
    const outcomes = (await rowsOf(source)).map(({ key, lineNumber, cells }) => {
      const submitted = key !== undefined && !seen.has(key);
      const ends = ['enriched', 'not_found', 'failed'];
      const repeated = key === undefined ? 'rejected' : 'duplicate';
      const outcome = submitted ? ends.find((end) => end === cells[0]) : repeated;
      if (key !== undefined) seen.add(key);
      return { lineNumber, expected: cells[0], outcome };
    });
    expect(outcomes.filter((row) => row.outcome !== row.expected)).toEqual([]);
    const count = (outcome: string) => outcomes.filter((row) => row.outcome === outcome).length;
    expect(JSON.parse(await readFile(example('accounts.expected.json'), 'utf8'))).toEqual({
      rows: source.rowCount,
      enriched: count('enriched'),
      not_found: count('not_found'),
      failed: count('failed'),
      duplicate: count('duplicate'),
      rejected: count('rejected'),
    });
  });

  test('has a byte order mark, accents, quoted commas and line breaks, and ragged rows', async () => {
    const source = await open(example('accounts.csv'));
    const records = await recordsOf(source);
    expect(source).toMatchObject({ bom: true, lineEnd: '\r\n' });
    expect(source.rowCount).toBeGreaterThanOrEqual(200);
    for (const feature of [/[äöüéøłñ]/i, /"[^"]*,[^"]*"/, /"[^"]*\n[^"]*"/]) {
      expect(records.some((record) => feature.test(record.raw))).toBe(true);
    }
    expect(new Set(records.map((record) => record.cells.length))).toEqual(new Set([2, 8, 11]));
  });
});

describe('batches', () => {
  test('hold up to five hundred records, in file order', async () => {
    const source = await openText(`Company\n${Array.from({ length: 2_500 }, (_, at) => `Company ${at}\n`).join('')}`);
    const sizes: number[] = [];
    const lines: number[] = [];
    for await (const batch of source.batches()) {
      sizes.push(batch.length);
      lines.push(...batch.map((record) => record.lineNumber));
    }
    expect(sizes).toEqual([500, 500, 500, 500, 500]);
    expect(lines).toEqual(Array.from({ length: 2_500 }, (_, at) => at + 2));
  });

  test('are smaller when records are long', async () => {
    const source = await openText(`Company,Note\n${`Acme Ltd,${'x'.repeat(500_000)}\n`.repeat(12)}`);
    for await (const batch of source.batches()) expect(batch.length).toBeLessThanOrEqual(6);
  });
});
