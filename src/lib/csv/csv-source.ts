import { UsageError } from '../errors.js';
import { cellsOf } from './cells.js';
import { findDialect } from './dialect.js';
import { createDecoder, type Encoding, encodingMark, namedEncoding, utf8Bytes } from './encoding.js';
import { assertText, assertTextFile } from './file-kind.js';
import { type InputFile, openInputFile } from './input-file.js';
import { detectLegacyEncoding, notUtf8 } from './legacy-encoding.js';
import { type CsvFlags, type Kept, keptOf, type OpenOptions } from './open-options.js';
import { type Dialect, type RawRecord, RecordCutter } from './record-cutter.js';
import { type RecordProblem, RecordSurvey, recordJudge } from './records.js';

/** One record of a CSV file below its header. */
export interface CsvRecord {
  /** The physical line on which the record starts, counted from 1. */
  readonly lineNumber: number;
  /** As many as the record has: fewer or more than there are headers in a ragged row. */
  readonly cells: readonly string[];
  /** The record's text as in the file, without its line end. */
  readonly raw: string;
  /** Its quotes do not match, or it is cut off: the cells are a guess, and its text would swallow whatever follows. */
  readonly damaged: boolean;
  /** Why it is a reject whatever its cells hold. */
  readonly problem?: RecordProblem;
}

/** A CSV file whose form is known and whose records can be read as often as needed, in flat memory. */
export interface CsvSource extends Kept {
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
export async function openCsv(path: string, options: OpenOptions = {}): Promise<CsvSource> {
  const file = await openInputFile(path, options.stdin ?? process.stdin);
  try {
    const survey = await surveyOf(file, options);
    const headers = cellsOf([survey.header], survey.form.dialect)[0] ?? [];
    return new OpenCsv(path, file, survey, headers, await keptOf(headers, options));
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What the first pass over a file finds. */
interface Survey {
  readonly form: Form;
  readonly header: RawRecord;
  readonly records: RecordSurvey;
}

interface Form {
  readonly encoding: Encoding;
  readonly bomBytes: number;
  readonly dialect: Dialect;
  readonly headerLine: number;
  readonly lineEnd: '\n' | '\r\n' | '\r';
}

/** A file without a mark is UTF-8 when this share of its records beyond ASCII is; a pasted line is a reject. */
const UTF8_SHARE = 0.1;
/** Bytes of records that are no UTF-8, for the detector. */
const MAX_ODD_BYTES = 65_536;

async function surveyOf(file: InputFile, flags: CsvFlags): Promise<Survey> {
  const head = await file.read(0, SAMPLE_BYTES);
  assertTextFile(head, file.name);
  const mark = encodingMark(head);
  const named = flags.encoding === undefined ? undefined : namedEncoding(flags.encoding);
  const encoding = named ?? mark.encoding;
  const bomBytes = encoding === mark.encoding ? mark.bomBytes : 0;
  const first = await surveyAs(file, head, { encoding, bomBytes }, flags);
  const { beyondAscii, wellFormed } = first.records;
  if (encoding !== 'utf-8' || named !== undefined || wellFormed >= beyondAscii * UTF8_SHARE) return first;
  // A mark promises UTF-8, so the file is damaged; reading it as something else would garble every accent in it.
  if (bomBytes > 0) throw notUtf8(file.name);
  const found = await detectLegacyEncoding(Buffer.concat(first.odd));
  return surveyAs(file, head, { encoding: found, bomBytes: 0 }, flags);
}

async function surveyAs(
  file: InputFile,
  head: Buffer,
  { encoding, bomBytes }: Pick<Form, 'encoding' | 'bomBytes'>,
  flags: CsvFlags,
): Promise<Survey & { readonly odd: readonly Buffer[] }> {
  const whole = head.length === file.size;
  const sample = createDecoder(encoding).decode(head.subarray(bomBytes), whole);
  const found = findDialect(sample, whole, flags);
  const form: Form = { encoding, bomBytes, ...found, lineEnd: findLineEnd(sample, found.dialect) };
  let header: RawRecord | undefined;
  let records = new RecordSurvey(0);
  const odd: Buffer[] = [];
  let oddBytes = 0;
  for await (const chunk of rawRecords(file, form)) {
    let rows: readonly RawRecord[] = chunk;
    if (header === undefined) {
      const at = chunk.findIndex(({ lineNumber }) => lineNumber >= form.headerLine);
      header = at === -1 ? undefined : chunk[at];
      if (header === undefined) continue;
      assertHeader(header, sample, file, flags);
      records = new RecordSurvey(header.width);
      rows = chunk.slice(at + 1);
      countBeyondAscii(header, records);
    }
    for (const row of rows) {
      records.add(row);
      if (!countBeyondAscii(row, records) || oddBytes > MAX_ODD_BYTES) continue;
      const bytes = utf8Bytes(`${row.raw}\n`);
      odd.push(bytes);
      oddBytes += bytes.length;
    }
  }
  if (header === undefined) throw noHeader(file, flags);
  if (records.records === 0) {
    throw new UsageError('FILE_HAS_NO_ROWS', `${file.name} has a header row but no rows below it: nothing to do.`);
  }
  if (odd.length === 0 && records.beyondAscii > 0) odd.push(utf8Bytes(header.raw));
  return { form, header, records, odd };
}

/** Counts the record in; whether it is one that is beyond ASCII. */
function countBeyondAscii({ raw }: RawRecord, records: RecordSurvey): boolean {
  if (ASCII.test(raw)) return false;
  records.beyondAscii += 1;
  if (raw.isWellFormed()) records.wellFormed += 1;
  return true;
}

const ASCII = /^[\0-\x7f]*$/;

function noHeader(file: InputFile, { headerLine }: CsvFlags): UsageError {
  return headerLine === undefined
    ? new UsageError('FILE_EMPTY', `${file.name} is empty: it needs a header row and rows below it.`)
    : new UsageError('NO_HEADER_LINE', `${file.name} has no line ${headerLine}: correct --header-line.`);
}

function assertHeader(header: RawRecord, sample: string, file: InputFile, { headerLine }: CsvFlags): void {
  assertText(sample, header.raw, file.name);
  if (headerLine !== undefined && header.lineNumber !== headerLine) {
    throw new UsageError(
      'NO_HEADER_LINE',
      `Line ${headerLine} of ${file.name} is blank, or in the middle of a record: correct --header-line.`,
    );
  }
  if (header.damaged || header.strayLineEnd) {
    throw new UsageError(
      'BAD_HEADER',
      `The header of ${file.name} (line ${header.lineNumber}) opens a quote that is not closed properly, or has a line end of another kind in it: correct it.`,
    );
  }
}

/** The records of a whole pass, those above the header included, one array per chunk of the file. */
async function* rawRecords(file: InputFile, form: Form): AsyncGenerator<RawRecord[]> {
  const cutter = new RecordCutter(form.dialect, form.headerLine);
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

class OpenCsv implements CsvSource {
  readonly encoding: Encoding;
  readonly bom: boolean;
  readonly delimiter: string;
  readonly lineEnd: Form['lineEnd'];
  readonly headerLine: number;
  readonly headerRaw: string;
  readonly width: number;
  readonly rowCount: number;
  readonly keep: Kept['keep'];
  readonly keepFrom: Kept['keepFrom'];
  readonly #file: InputFile;
  readonly #form: Form;
  readonly #problemOf: ReturnType<typeof recordJudge>;

  constructor(
    readonly path: string,
    file: InputFile,
    survey: Survey,
    readonly headers: readonly string[],
    { keep, keepFrom }: Kept,
  ) {
    this.keep = keep;
    this.keepFrom = keepFrom;
    this.#file = file;
    this.#form = survey.form;
    this.encoding = survey.form.encoding;
    this.bom = survey.form.bomBytes > 0;
    this.delimiter = survey.form.dialect.delimiter;
    this.lineEnd = survey.form.lineEnd;
    this.headerLine = survey.header.lineNumber;
    this.headerRaw = survey.header.raw;
    this.width = survey.records.width;
    this.rowCount = survey.records.records;
    this.#problemOf = recordJudge(survey.records.rules(this.headers));
  }

  async *batches(): AsyncGenerator<readonly CsvRecord[]> {
    let pending: RawRecord[] = [];
    let characters = 0;
    let isHeader = true;
    for await (const chunk of rawRecords(this.#file, this.#form)) {
      for (const record of chunk) {
        if (isHeader) {
          isHeader = record.lineNumber !== this.headerLine;
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
    return records.map((record, index) => {
      const own = cells[index] ?? [];
      const { lineNumber, raw, damaged } = record;
      const problem = this.#problemOf(record, own);
      return problem === null
        ? { lineNumber, cells: own, raw, damaged }
        : { lineNumber, cells: own, raw, damaged, problem };
    });
  }
}
