import { MAPPED_FIELDS } from '../lib/core/columns.js';
import { ENRICHMENT_FAILED, failureText, type RowFailure } from '../lib/core/failure.js';
import type { IdentityKey } from '../lib/core/ids.js';
import { filledColumns, RESULT_COLUMNS } from '../lib/core/result-columns.js';
import type { FileRow } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import { withOutcomes } from './chunk-outcomes.js';
import { createTally, type FileCounts } from './file-counts.js';
import { type MappedValues, mappedValues } from './list-rows.js';
import { ROW_STATUSES, type RowOutcome, type RowStatus } from './row-outcome.js';

export interface RowQuery {
  /** Only rows with one of these outcomes; all when absent. */
  readonly statuses?: readonly RowStatus[] | undefined;
  /** Only rows with this error code. */
  readonly code?: string | undefined;
  /** Only rows with this text in one of their values in the mapped columns, case ignored. */
  readonly search?: string | undefined;
  /** Only enriched rows for which Zia found nothing in this column of the export. */
  readonly without?: string | undefined;
  readonly offset: number;
  readonly limit: number;
}

/** What the table shows of a row. */
export interface RowLine {
  /** Line in the file. */
  readonly line: number;
  readonly key: IdentityKey | undefined;
  /** The file's values in the mapped columns. */
  readonly values: MappedValues;
  readonly status: RowStatus;
  /** Why the row failed, was rejected or is uncertain. */
  readonly error: RowFailure | undefined;
}

export interface RowPage {
  /** Rows that fit the query. */
  readonly total: number;
  readonly rows: readonly RowLine[];
}

/** Of the enriched rows, how many have a value in a column of the export. */
export interface FillRate {
  readonly column: string;
  readonly filled: number;
}

/** Between the values of a row; no CSV cell that is not a reject has one. */
const SEPARATOR = '\u0000';

/**
 * A file's rows with their outcomes in memory, in some 150 bytes a row, so that a table of them can be searched, filtered
 * and paged at once. It is a snapshot: read it anew for newer outcomes. What Zia found is asked for once a row.
 */
export class FileRows {
  readonly #texts: string[] = [];
  readonly #lines: number[] = [];
  readonly #keys: (IdentityKey | undefined)[] = [];
  readonly #statuses: number[] = [];
  readonly #errors = new Map<number, RowFailure>();
  /** Reasons are few, and texts many: rows share them. */
  readonly #reasons = new Map<string, RowFailure>();
  /** Enriched rows: which columns have a value, a bit each. */
  readonly #filled = new Map<IdentityKey, number>();
  readonly #tally = createTally();
  /** How many of them have a value in each column: a page must not go through all rows to tell. */
  readonly #fills = new Uint32Array(RESULT_COLUMNS.length);
  readonly #keysSeen = new Set<IdentityKey>();
  /** Rows without repeated ones, and those that Zoho took and failed. */
  readonly #companies = createTally();
  #failedByZoho = 0;

  /** Reads a file's rows and outcomes: as many round trips as `fileStatus` needs, and those for new results. `before` is an earlier snapshot of the same file. */
  static async read(file: Input, signal?: AbortSignal, before?: FileRows): Promise<FileRows> {
    const all = new FileRows();
    for await (const { rows, outcomes } of withOutcomes(file)) {
      signal?.throwIfAborted();
      for (const [at, row] of rows.entries()) {
        const outcome = outcomes[at];
        if (outcome !== undefined) all.#add(row, outcome, file.columns);
      }
      await all.#noteFilled(rows, outcomes, file.engine, before);
    }
    return all;
  }

  #add(row: FileRow, { status, error }: RowOutcome, columns: Input['columns']): void {
    const at = this.#lines.length;
    const values = mappedValues(row, columns);
    this.#lines.push(row.lineNumber);
    this.#keys.push(row.key);
    this.#statuses.push(ROW_STATUSES.indexOf(status));
    this.#texts.push(MAPPED_FIELDS.map((field) => values[field]?.replaceAll(SEPARATOR, '') ?? '').join(SEPARATOR));
    if (error !== undefined) this.#errors.set(at, this.#shared(error));
    this.#tally.add(status);
    if (row.key === undefined || this.#keysSeen.has(row.key)) return;
    this.#keysSeen.add(row.key);
    this.#companies.add(status);
    if (error?.code === ENRICHMENT_FAILED.code) this.#failedByZoho += 1;
  }

  #shared(error: RowFailure): RowFailure {
    const text = failureText(error);
    const shared = this.#reasons.get(text) ?? error;
    this.#reasons.set(text, shared);
    return shared;
  }

  async #noteFilled(
    rows: readonly FileRow[],
    outcomes: readonly RowOutcome[],
    { store }: Input['engine'],
    before: FileRows | undefined,
  ): Promise<void> {
    const unknown = new Set<IdentityKey>();
    for (const [at, { key }] of rows.entries()) {
      if (key === undefined || outcomes[at]?.status !== 'enriched') continue;
      const known = before === undefined ? undefined : before.#filled.get(key);
      if (known === undefined) unknown.add(key);
      else this.#fill(key, known);
    }
    if (unknown.size === 0) return;
    for (const [key, data] of await store.results([...unknown])) this.#fill(key, filledColumns(data));
  }

  #fill(key: IdentityKey, mask: number): void {
    if (this.#filled.has(key)) return;
    this.#filled.set(key, mask);
    for (let bit = 0; bit < this.#fills.length; bit += 1)
      if (hasBit(mask, bit)) this.#fills[bit] = (this.#fills[bit] ?? 0) + 1;
  }

  /** All rows by outcome; repeated rows count with the outcome of their first. */
  counts(): FileCounts {
    return this.#tally.counts();
  }

  /** The same without repeated rows: companies. */
  companies(): FileCounts {
    return this.#companies.counts();
  }

  /** Enrichments that Zoho counts for this file: every company that was accepted, whatever came of it. */
  enrichmentsUsed(): number {
    const { enriched, notFound, submitted } = this.companies();
    return enriched + notFound + submitted + this.#failedByZoho;
  }

  /** Failed, rejected and uncertain rows by code, the most frequent first. */
  codes(): readonly (readonly [string, number])[] {
    const counted = new Map<string, number>();
    for (const { code } of this.#errors.values()) counted.set(code, (counted.get(code) ?? 0) + 1);
    return [...counted].sort((a, b) => b[1] - a[1]);
  }

  /** What Zia found, by company: how many enriched companies there are, and in how many each column is filled, most first. */
  fillRates(): { readonly enriched: number; readonly columns: readonly FillRate[] } {
    const filled = RESULT_COLUMNS.map((column, bit) => ({ column, filled: this.#fills[bit] ?? 0 }));
    return { enriched: this.#filled.size, columns: filled.sort((a, b) => b.filled - a.filled) };
  }

  find(query: RowQuery): RowPage {
    const fits = this.#filter(query);
    const rows: RowLine[] = [];
    let total = 0;
    for (let at = 0; at < this.#lines.length; at += 1) {
      if (!fits(at)) continue;
      if (total >= query.offset && rows.length < query.limit) rows.push(this.#rowAt(at));
      total += 1;
    }
    return { total, rows };
  }

  /** The row on a line of the file. */
  onLine(line: number): RowLine | undefined {
    const at = this.#lines.indexOf(line);
    return at === -1 ? undefined : this.#rowAt(at);
  }

  #filter({ statuses, code, search = '', without }: RowQuery): (at: number) => boolean {
    const wanted = statuses === undefined ? null : new Set(statuses);
    const text = search.trim().toLowerCase();
    const bit = without === undefined ? -1 : RESULT_COLUMNS.indexOf(without);
    return (at) =>
      (wanted === null || wanted.has(this.#statusAt(at))) &&
      (code === undefined || this.#errors.get(at)?.code === code) &&
      (without === undefined || this.#lacks(at, bit)) &&
      (text === '' || (this.#texts[at] ?? '').toLowerCase().includes(text));
  }

  #lacks(at: number, bit: number): boolean {
    const key = this.#keys[at];
    const mask = key === undefined ? undefined : this.#filled.get(key);
    return mask !== undefined && !hasBit(mask, bit);
  }

  #statusAt(at: number): RowStatus {
    return ROW_STATUSES[this.#statuses[at] ?? 0] ?? 'not_enqueued';
  }

  #rowAt(at: number): RowLine {
    const values = (this.#texts[at] ?? '').split(SEPARATOR);
    return {
      line: this.#lines[at] ?? 0,
      key: this.#keys[at],
      values: Object.fromEntries(MAPPED_FIELDS.flatMap((field, n) => (values[n] ? [[field, values[n]]] : []))),
      status: this.#statusAt(at),
      error: this.#errors.get(at),
    };
  }
}

/** Above 31 bits, where JavaScript's own operators end. */
function hasBit(mask: number, bit: number): boolean {
  return Math.floor(mask / 2 ** bit) % 2 === 1;
}
