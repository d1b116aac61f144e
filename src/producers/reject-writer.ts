import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import type { RejectCode } from '../lib/core/row.js';
import type { CsvRecord, CsvSource } from '../lib/csv/csv-source.js';
import { utf8Bytes } from '../lib/csv/encoding.js';
import type { FileRow } from '../lib/csv/row-reader.js';
import { UsageError } from '../lib/errors.js';
import { writeFailure } from '../lib/file-failure.js';
import { createOutput, type OutputFile, removeLeftovers } from '../lib/output-file.js';
import type { OwnRejects } from './own-rejects.js';

/** A record that did not become a job, and why. */
export interface Reject {
  readonly record: CsvRecord;
  readonly code: RejectCode;
  readonly reason: string;
}

/** Writes the rejects of one run. Call `write` one at a time, then either `finish` or `discard`. */
export interface RejectWriter {
  write(rejects: readonly Reject[]): Promise<void>;
  /** Puts the file in its place, or removes that of an earlier run when nothing was rejected; its path, or null. */
  finish(): Promise<string | null>;
  /** Leaves everything as it was before this run. */
  discard(): Promise<void>;
}

const ADDED_COLUMNS = ['zia_line', 'zia_error_code', 'zia_error'];
const BYTE_ORDER_MARK = '\uFEFF';

/** Where rejects go by default: `accounts.rejects.csv` beside `accounts.csv`, `stdin.rejects.csv` for standard input. */
export function rejectsPathOf(input: string): string {
  if (input === '-') return 'stdin.rejects.csv';
  const { dir, name, ext } = parse(input);
  return join(dir, `${name}.rejects${ext || '.csv'}`);
}

/** The records among `rows` that become no job. */
export function rejectsAmong(rows: readonly FileRow[]): readonly Reject[] {
  return rows.flatMap((row) =>
    row.parsed.ok ? [] : [{ record: row, code: row.parsed.code, reason: row.parsed.reason }],
  );
}

/**
 * A writer of the records of `source` to `path`: the original columns in their order, then `zia_line`, `zia_error_code` and
 * `zia_error`, in UTF-8 with the file's own delimiter and line end. The file appears complete or not at all, and only
 * when something is rejected. With `own`, a file that somebody corrected is left alone and the new one gets a number.
 * Throws UsageError when its folder cannot be written to.
 */
export function createRejectWriter(path: string, source: CsvSource, own?: OwnRejects): RejectWriter {
  const form = formOf(source);
  let file: OutputFile | undefined;
  const written = createHash('sha256');
  return {
    async write(rejects) {
      if (rejects.length === 0) return;
      const isNew = file === undefined;
      file ??= await create(path, source);
      try {
        const text = `${isNew ? form.header : ''}${form.lines(rejects)}`;
        written.update(utf8Bytes(text));
        await file.append(text);
      } catch (error) {
        throw writeFailure(error, path);
      }
    },
    async finish() {
      const digest = file === undefined ? undefined : written.digest('base64url');
      const final = own === undefined ? path : await own.pathFor(path, digest);
      if (file === undefined) {
        await removeLeftovers(path);
        await rm(final, { force: true });
        return null;
      }
      await file.commit({ to: final });
      await own?.note(final);
      return final;
    },
    async discard() {
      await file?.discard();
    },
  };
}

function formOf(source: CsvSource): { readonly header: string; lines(rejects: readonly Reject[]): string } {
  // Columns of an earlier rejects file give way to ours, so a mended file can be enqueued as it is.
  const kept = Array.from({ length: source.width }, (_, at) => at).filter(
    (at) => !ADDED_COLUMNS.includes(source.headers[at]?.trim().toLowerCase() ?? ''),
  );
  const keep = (cells: readonly string[]) => kept.map((at) => cells[at] ?? '');
  const text = (rows: readonly (readonly string[])[]) =>
    stringify(rows as string[][], { delimiter: source.delimiter, record_delimiter: source.lineEnd }); // it only reads
  // Excel takes UTF-8 without a mark for an old code page.
  const mark = source.bom || source.encoding !== 'utf-8' ? BYTE_ORDER_MARK : '';
  return {
    header: mark + text([[...keep(source.headers), ...ADDED_COLUMNS]]),
    lines: (rejects) =>
      text(rejects.map(({ record, code, reason }) => [...keep(record.cells), String(record.lineNumber), code, reason])),
  };
}

async function create(path: string, source: CsvSource): Promise<OutputFile> {
  return createOutput(path, { like: source.path }).catch((cause: unknown) => {
    throw new UsageError(
      'REJECTS_NOT_WRITABLE',
      `The rejected rows cannot be written to ${path}: make its folder writable, or work on a copy elsewhere.`,
      { cause },
    );
  });
}
