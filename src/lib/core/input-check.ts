import type { ColumnMapping, MappedField } from './columns.js';
import type { Keepable } from './row.js';

/** What a file was read as and what was noticed in it: the `input` of `plan --json` and `enqueue --json`. */
export interface InputCheck {
  /** As iconv-lite names it, in lower case: `utf-8`, `utf-16le`, `windows-1252`. */
  readonly encoding: string;
  readonly delimiter: string;
  /** The physical line on which the header starts, counted from 1. */
  readonly headerLine: number;
  /** Null for a field that no column gives. */
  readonly columns: Readonly<Record<MappedField, InputColumn | null>>;
  /** Headers of the columns that are not used, in the order of the file; columns without a header are not listed. */
  readonly unused: readonly string[];
  readonly findings: readonly Finding[];
}

/** The columns of a file, why each was taken, and what is to be told about them. */
export interface ColumnChoice {
  readonly columns: ColumnMapping;
  readonly origins: Readonly<Partial<Record<MappedField, ColumnOrigin>>>;
  readonly findings: readonly Finding[];
}

/** A column that gives a field. */
export interface InputColumn {
  readonly header: string;
  /** Counted from 0; `--map website=#3` counts from 1. */
  readonly index: number;
  readonly from: ColumnOrigin;
}

/**
 * Why a column was taken: by its header, by its values among several that the headers allow, by what was remembered for
 * this header row, or by `--map`.
 */
export type ColumnOrigin = 'header' | 'values' | 'remembered' | 'flag';

export type FindingCode =
  | 'PLACEHOLDER'
  | 'SHARED_HOST'
  | 'LEGACY_ENCODING'
  | 'SHORT_RECORD'
  | 'ONE_COMPANY'
  | 'NEAR_DUPLICATE'
  | 'UNLIKELY_COLUMN'
  /** Values of one column that are too short, malformed or the like; its rows go without them. */
  | 'UNUSABLE_VALUE'
  | 'REMEMBERED_MAPPING'
  /** `--keep` was given when a file with this header row was queued, and counts again. */
  | 'REMEMBERED_KEEP'
  | 'DUPLICATE_HEADER'
  /** Known rows that have a record id, and were sent under other columns without it. */
  | 'SENT_WITHOUT_RECORD_ID'
  /** New rows of which nothing but the name was sent, where several companies have that name. */
  | 'SENT_BY_NAME';

/** What the check of a file noticed. */
export interface Finding {
  readonly code: FindingCode;
  /** How many records; for a finding about columns, how many columns. */
  readonly count: number;
  /** The first ten lines. */
  readonly lines: readonly number[];
  /** The fields it is about, where it is about some. */
  readonly fields?: readonly MappedField[];
  /** ONE_COMPANY only: how many companies the records are, told apart by `by`; may be an estimate. */
  readonly companies?: number;
  /** What tells the companies of ONE_COMPANY apart: `website` where most rows have one. */
  readonly by?: 'website' | 'name';
  /** REMEMBERED_KEEP only: what is kept. */
  readonly keep?: readonly Keepable[];
  /** UNLIKELY_COLUMN only: the values of these columns look like each other's fields. Nothing is queued without `--map`. */
  readonly swapped?: boolean;
}

export const MAX_LINES_SHOWN = 10;
