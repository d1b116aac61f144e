import { failureText, type RowFailure } from '../lib/core/failure.js';
import type { IdentityKey } from '../lib/core/ids.js';
import { filledColumns } from '../lib/core/result-columns.js';
import type { FileRow } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import { type Bought, createBoughtTally } from './bought.js';
import { withOutcomes } from './chunk-outcomes.js';
import { createTally, type FileCounts } from './file-counts.js';
import { type MappedValues, mappedValues } from './mapped-values.js';
import { outcomeFilter, type RowChoice, searchFilter, valuesIn, valuesText } from './row-choice.js';
import { ROW_STATUSES, type RowOutcome, type RowStatus } from './row-outcome.js';

/** A page of the chosen rows. */
export interface RowQuery extends RowChoice {
  readonly offset: number;
  readonly limit: number;
}

/** What the table shows of a row. */
export interface RowLine {
  /** Line in the file. */
  readonly line: number;
  readonly key: IdentityKey | undefined;
  /** The key under which it was sent or queued: its own, or that of a row it stands for. */
  readonly sentAs: IdentityKey | undefined;
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
  /** Which columns have a value, a bit each, by the key under which an enriched row was sent. */
  readonly #filled = new Map<IdentityKey, number>();
  /** Where that is not the row's own key. */
  readonly #sentAs = new Map<number, IdentityKey>();
  readonly #tally = createTally();
  /** Kept as rows come: a page must not go through all of them to tell. */
  readonly #bought = createBoughtTally();
  readonly #keysSeen = new Set<IdentityKey>();
  /** Rows without repeated ones. */
  readonly #companies = createTally();

  /** Reads a file's rows and outcomes: as many round trips as `fileStatus` needs, and those for new results. `before` is an earlier snapshot of the same file. */
  static async read(file: Input, signal?: AbortSignal, before?: FileRows): Promise<FileRows> {
    const all = new FileRows();
    for await (const { rows, outcomes } of withOutcomes(file)) {
      signal?.throwIfAborted();
      await all.#noteFilled(rows, outcomes, file.engine, before);
      for (const [at, row] of rows.entries()) {
        const outcome = outcomes[at];
        if (outcome !== undefined) all.#add(row, outcome, file.columns);
      }
    }
    return all;
  }

  #add(row: FileRow, outcome: RowOutcome, columns: Input['columns']): void {
    const at = this.#lines.length;
    const { status, error, sentAs } = outcome;
    this.#lines.push(row.lineNumber);
    this.#keys.push(row.key);
    this.#statuses.push(ROW_STATUSES.indexOf(status));
    this.#texts.push(valuesText(mappedValues(row, columns)));
    if (sentAs !== undefined) this.#sentAs.set(at, sentAs);
    if (error !== undefined) this.#errors.set(at, this.#shared(error));
    this.#tally.add(status);
    const key = this.#sentKey(at);
    if (key !== undefined) this.#bought.add(key, outcome, this.#filled.get(key) ?? 0);
    if (row.key === undefined || this.#keysSeen.has(row.key)) return;
    this.#keysSeen.add(row.key);
    this.#companies.add(status);
  }

  #sentKey(at: number): IdentityKey | undefined {
    return this.#sentAs.get(at) ?? this.#keys[at];
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
    for (const [at, row] of rows.entries()) {
      const outcome = outcomes[at];
      const key = outcome?.sentAs ?? row.key;
      if (key === undefined || outcome?.status !== 'enriched') continue;
      const known = before === undefined ? undefined : before.#filled.get(key);
      if (known === undefined) unknown.add(key);
      else this.#filled.set(key, known);
    }
    if (unknown.size === 0) return;
    for (const [key, data] of await store.results([...unknown])) this.#filled.set(key, filledColumns(data));
  }

  /** All rows by outcome; repeated rows count with the outcome of their first. */
  counts(): FileCounts {
    return this.#tally.counts();
  }

  /** The same without repeated rows: companies. */
  companies(): FileCounts {
    return this.#companies.counts();
  }

  /** What its enrichments brought. */
  bought(): Bought {
    return this.#bought.bought();
  }

  /** Failed, rejected and uncertain rows by code, the most frequent first. */
  codes(): readonly (readonly [string, number])[] {
    const counted = new Map<string, number>();
    for (const { code } of this.#errors.values()) counted.set(code, (counted.get(code) ?? 0) + 1);
    return [...counted].sort((a, b) => b[1] - a[1]);
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

  #filter(choice: RowChoice): (at: number) => boolean {
    const isSearched = searchFilter(choice);
    const isChosen = outcomeFilter(choice);
    return (at) =>
      (isSearched === null || isSearched(this.#texts[at] ?? '')) &&
      isChosen({ status: this.#statusAt(at), code: this.#errors.get(at)?.code, filled: () => this.#filledAt(at) });
  }

  #filledAt(at: number): number | undefined {
    const key = this.#sentKey(at);
    return key === undefined ? undefined : this.#filled.get(key);
  }

  #statusAt(at: number): RowStatus {
    return ROW_STATUSES[this.#statuses[at] ?? 0] ?? 'not_enqueued';
  }

  #rowAt(at: number): RowLine {
    return {
      line: this.#lines[at] ?? 0,
      key: this.#keys[at],
      sentAs: this.#sentKey(at),
      values: valuesIn(this.#texts[at] ?? ''),
      status: this.#statusAt(at),
      error: this.#errors.get(at),
    };
  }
}
