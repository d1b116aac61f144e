import { isAddedColumn } from '../lib/core/added-columns.js';
import type { IdentityKey } from '../lib/core/ids.js';
import { resultCells } from '../lib/core/result-columns.js';
import { headerLine, layoutOf, outcomeLine, type SourceRecord } from './export-record.js';
import { outcomeDocument, type RowOutcome } from './row-outcome.js';

export const EXPORT_FORMATS = ['csv', 'ndjson'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** A row as an export shows it. */
export interface ExportedRecord extends SourceRecord {
  readonly key?: IdentityKey;
  /** Absent when the row comes from no file. */
  readonly lineNumber?: number;
}

/** Turns rows into the text of one export. */
export interface ExportWriter {
  readonly head: string;
  /** `found` are the outcome's `resultCells`, for those who have them already. */
  record(record: ExportedRecord, outcome: RowOutcome, found?: readonly string[]): string;
}

/** The form of the records that an export is made of. */
export interface RecordForm {
  readonly headers: readonly string[];
  readonly headerRaw: string;
  readonly width: number;
  readonly delimiter: string;
  readonly lineEnd: string;
  /** The text begins with a byte order mark. */
  readonly marked: boolean;
}

const BYTE_ORDER_MARK = '\uFEFF';

export function createWriter(format: ExportFormat, form: RecordForm): ExportWriter {
  return format === 'csv' ? csvWriter(form) : ndjsonWriter(form.headers);
}

function csvWriter(form: RecordForm): ExportWriter {
  const layout = layoutOf(form.headers, form.width, form);
  const header = headerLine({ cells: form.headers, raw: form.headerRaw, damaged: false }, layout);
  return {
    head: form.marked ? BYTE_ORDER_MARK + header : header,
    record: (record, outcome, found = resultCells(outcome.data)) => outcomeLine(record, outcome, found, layout),
  };
}

/** One JSON object a row: a wire contract, to which fields are added and from which none is taken. */
function ndjsonWriter(headers: readonly string[]): ExportWriter {
  const names = columnNames(headers);
  return {
    head: '',
    record: ({ cells, key, lineNumber }, outcome) => {
      const record = cells.flatMap((cell, at) => (names[at] === null ? [] : [[names[at] ?? `column ${at + 1}`, cell]]));
      const document = {
        line: lineNumber ?? null,
        key: key ?? null,
        record: Object.fromEntries(record),
        ...outcomeDocument(outcome),
      };
      return `${JSON.stringify(document)}\n`;
    },
  };
}

/** Each column under a name of its own; null for those of an earlier export. */
function columnNames(headers: readonly string[]): readonly (string | null)[] {
  const taken = new Set<string>();
  return headers.map((header, at) => {
    if (isAddedColumn(header)) return null;
    const name = header.trim() === '' || taken.has(header) ? `column ${at + 1}` : header;
    taken.add(name);
    return name;
  });
}
