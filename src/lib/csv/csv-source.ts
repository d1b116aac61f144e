import type { Readable } from 'node:stream';
import { UsageError } from '../errors.js';
import { cellsOf } from './cells.js';
import { findDialect } from './dialect.js';
import { createDecoder, type Encoding, encodingMark, NotUtf8Error } from './encoding.js';
import { assertText, assertTextFile } from './file-kind.js';
import { type InputFile, openInputFile } from './input-file.js';
import { type Dialect, type RawRecord, RecordCutter } from './record-cutter.js';

/** One record of a CSV file below its header. */
export interface CsvRecord {
  /** The physical line on which the record starts, counted from 1. */
  readonly lineNumber: number;
  /** As many as the record has: fewer or more than there are headers in a ragged row. */
  readonly cells: readonly string[];
  /** The record's text as in the file, without its line end. */
  readonly raw: string;
  /** Its quotes do not match, or its characters are broken: the cells are a guess, the record is a reject. */
  readonly damaged: boolean;
}

/** A CSV file whose form is known and whose records can be read as often as needed, in flat memory. */
export interface CsvSource {
  /** As given; `-` for standard input. */
  readonly path: string;
  readonly encoding: Encoding;
  /** Whether the file begins with a byte order mark. */
  readonly bom: boolean;
  readonly delimiter: string;
  /** The line end after the header. */
  readonly lineEnd: '\n' | '\r\n' | '\r';
  readonly headers: readonly string[];
  /** The physical line on which the header starts, counted from 1. */
  readonly headerLine: number;
  /** The header's text as in the file, without its line end. */
  readonly headerRaw: string;
  /** Cells of the widest record, the header included. */
  readonly width: number;
  /** Records below the header; blank lines are none. */
  readonly rowCount: number;
  /** The records in file order, up to 1,000 at a time. Each call reads from the start. Throws UsageError FILE_CHANGED. */
  batches(): AsyncIterable<readonly CsvRecord[]>;
  /** Calling it twice is safe. */
  close(): Promise<void>;
}

/** What encoding and delimiter are told from. */
const SAMPLE_BYTES = 262_144;
/** All records of a chunk are in memory at a time: larger ones are no faster and take 30 MB more. */
const CHUNK_BYTES = 65_536;
/** Several batches are in memory while a file is queued: twice as many records are no faster and take 30 MB more. */
const BATCH_RECORDS = 500;
/** Long records make smaller batches. */
const BATCH_CHARACTERS = 2 * 1_048_576;

/**
 * Opens a CSV file, `-` for standard input, and reads it once to learn its encoding, delimiter, width and rows.
 * Throws UsageError with one clear sentence when it is missing, unreadable, a directory, empty, without rows, no text,
 * a spreadsheet, or changes meanwhile. The caller closes the source.
 */
export async function openCsv(path: string, options: { readonly stdin?: Readable } = {}): Promise<CsvSource> {
  const file = await openInputFile(path, options.stdin ?? process.stdin);
  try {
    const survey = await surveyOf(file);
    return new OpenCsv(path, file, survey);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What the first pass over a file finds. */
interface Survey {
  readonly form: Form;
  readonly header: RawRecord;
  readonly width: number;
  readonly rowCount: number;
}

interface Form {
  readonly encoding: Encoding;
  readonly bomBytes: number;
  readonly dialect: Dialect;
  readonly lineEnd: '\n' | '\r\n' | '\r';
}

async function surveyOf(file: InputFile): Promise<Survey> {
  const head = await file.read(0, SAMPLE_BYTES);
  assertTextFile(head, file.name);
  const mark = encodingMark(head);
  try {
    return await surveyAs(file, head, mark.encoding, mark.bomBytes);
  } catch (error) {
    if (!(error instanceof NotUtf8Error)) throw error;
    // A mark promises UTF-8, so the file is damaged; reading it as something else would garble every accent in it.
    if (mark.bomBytes > 0) throw notUtf8(file);
    return await surveyAs(file, head, 'windows-1252', 0);
  }
}

async function surveyAs(file: InputFile, head: Buffer, encoding: Encoding, bomBytes: number): Promise<Survey> {
  const whole = head.length === file.size;
  const sample = createDecoder(encoding).decode(head.subarray(bomBytes), whole);
  const dialect = findDialect(sample, whole, file.name);
  const form: Form = { encoding, bomBytes, dialect, lineEnd: findLineEnd(sample, dialect) };
  let header: RawRecord | undefined;
  let width = 0;
  let records = 0;
  for await (const chunk of rawRecords(file, form)) {
    if (header === undefined && chunk[0] !== undefined) {
      header = chunk[0];
      assertHeader(header, sample, file);
    }
    records += chunk.length;
    for (const record of chunk) width = Math.max(width, record.width);
  }
  if (header === undefined)
    throw new UsageError('FILE_EMPTY', `${file.name} is empty: it needs a header row and rows below it.`);
  if (records === 1) {
    throw new UsageError('FILE_HAS_NO_ROWS', `${file.name} has a header row but no rows below it: nothing to do.`);
  }
  return { form, header, width, rowCount: records - 1 };
}

function assertHeader(header: RawRecord, sample: string, file: InputFile): void {
  assertText(sample, header.raw, file.name);
  if (header.damaged) {
    throw new UsageError(
      'BAD_HEADER',
      `The header of ${file.name} (line ${header.lineNumber}) opens a quote that is not closed properly: correct it.`,
    );
  }
}

/** The records of a whole pass, header first, one array per chunk of the file. */
async function* rawRecords(file: InputFile, form: Form): AsyncGenerator<RawRecord[]> {
  const cutter = new RecordCutter(form.dialect, file.name);
  const decoder = createDecoder(form.encoding);
  await file.assertUnchanged();
  let position = form.bomBytes;
  do {
    const bytes = await file.read(position, CHUNK_BYTES);
    position += bytes.length;
    const final = position >= file.size;
    yield cutter.feed(decoder.decode(bytes, final), final);
  } while (position < file.size);
  await file.assertUnchanged();
}

function findLineEnd(sample: string, dialect: Dialect): Form['lineEnd'] {
  if (dialect.newline === '\r') return '\r';
  return sample[sample.indexOf('\n') - 1] === '\r' ? '\r\n' : '\n';
}

function notUtf8(file: InputFile): UsageError {
  return new UsageError(
    'FILE_NOT_UTF8',
    `${file.name} is marked as UTF-8 but holds bytes that are not: save it again as "CSV UTF-8".`,
  );
}

class OpenCsv implements CsvSource {
  readonly encoding: Encoding;
  readonly bom: boolean;
  readonly delimiter: string;
  readonly lineEnd: Form['lineEnd'];
  readonly headers: readonly string[];
  readonly headerLine: number;
  readonly headerRaw: string;
  readonly width: number;
  readonly rowCount: number;
  readonly #file: InputFile;
  readonly #form: Form;

  constructor(
    readonly path: string,
    file: InputFile,
    survey: Survey,
  ) {
    this.#file = file;
    this.#form = survey.form;
    this.encoding = survey.form.encoding;
    this.bom = survey.form.bomBytes > 0;
    this.delimiter = survey.form.dialect.delimiter;
    this.lineEnd = survey.form.lineEnd;
    this.headers = cellsOf([survey.header], survey.form.dialect)[0] ?? [];
    this.headerLine = survey.header.lineNumber;
    this.headerRaw = survey.header.raw;
    this.width = survey.width;
    this.rowCount = survey.rowCount;
  }

  async *batches(): AsyncGenerator<readonly CsvRecord[]> {
    let pending: RawRecord[] = [];
    let characters = 0;
    let isHeader = true;
    for await (const chunk of rawRecords(this.#file, this.#form)) {
      for (const record of chunk) {
        if (isHeader) {
          isHeader = false;
          continue;
        }
        pending.push(record);
        characters += record.raw.length;
        if (pending.length < BATCH_RECORDS && characters < BATCH_CHARACTERS) continue;
        yield this.#parsed(pending);
        pending = [];
        characters = 0;
      }
    }
    if (pending.length > 0) yield this.#parsed(pending);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #parsed(records: readonly RawRecord[]): CsvRecord[] {
    const cells = cellsOf(records, this.#form.dialect);
    return records.map((record, index) => ({
      lineNumber: record.lineNumber,
      cells: cells[index] ?? [],
      raw: record.raw,
      // Only UTF-16 can hold half a character; it could be neither sent nor written again.
      damaged: record.damaged || !record.raw.isWellFormed(),
    }));
  }
}
