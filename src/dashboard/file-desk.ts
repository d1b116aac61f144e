import type { ColumnMapping } from '../lib/core/columns.js';

/** A file on this machine and where its fields are. */
export interface DeskFile {
  readonly path: string;
  readonly columns: ColumnMapping;
  /** What somebody chose, as the values of `--map`: remembered once rows are queued by it. Empty when nobody did. */
  readonly mapFlags: readonly string[];
}

export type TellProgress = (progress: { readonly rows: number; readonly total: number }) => void;

/** What enqueueing would do. */
export interface PlanFigures {
  readonly rows: number;
  readonly enqueued: number;
  readonly duplicates: number;
  readonly known: number;
  readonly rejected: number;
  readonly fieldsLeftOut: number;
  /** Rejected records by reason. */
  readonly rejects: Readonly<Partial<Record<string, number>>>;
  readonly withRecordId: number;
  /** The plan in a sentence: calls, time, and how far the allowance reaches. */
  readonly sentence: string;
}

export interface EnqueueFigures {
  readonly rows: number;
  readonly enqueued: number;
  readonly duplicates: number;
  readonly known: number;
  readonly rejected: number;
}

/** Rows of a file by outcome, summing to `rows`. */
export interface OutcomeFigures {
  readonly rows: number;
  readonly enriched: number;
  readonly notFound: number;
  readonly submitted: number;
  readonly waiting: number;
  readonly uncertain: number;
  readonly failed: number;
  readonly rejected: number;
  readonly notEnqueued: number;
}

/**
 * What the commands do with a file, for the pages to ask for: the dashboard has no way of its own to read or queue one.
 * Each rejects with the sentence that the command would print.
 */
export interface FileDesk {
  plan(file: DeskFile, signal: AbortSignal, tell: TellProgress): Promise<PlanFigures>;
  enqueue(file: DeskFile, signal: AbortSignal, tell: TellProgress): Promise<EnqueueFigures>;
  outcomes(file: DeskFile): Promise<OutcomeFigures>;
  /** Writes the export to `out`. */
  exportTo(file: DeskFile, out: string, signal: AbortSignal): Promise<void>;
  /** Writes the rejects to `out`; false, and no file, when nothing is rejected. */
  rejectsTo(file: DeskFile, out: string, signal: AbortSignal): Promise<boolean>;
}
