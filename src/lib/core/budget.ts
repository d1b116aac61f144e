/**
 * Two ceilings for what the fleet submits, both in the store's count of claims made less claims given back. They are kept as
 * what that count may reach, so that neither has to be written when a row is claimed or released.
 */

/** How many more rows the fleet may submit before it stops by itself. */
export interface Budget {
  /** Grows with each change: a worker knows by it that the store went back in time. */
  readonly revision: number;
  /** As it was set; null when it was removed. */
  readonly rows: number | null;
  /** What may be spent in all; null when it was removed. */
  readonly ceiling: number | null;
}

/** What Zoho last said of the allowance, for workers that keep some of it back. */
export interface Reserve {
  /** What may be spent in all until nothing of the allowance is left. */
  readonly ceiling: number;
  /** What was spent when Zoho was asked. */
  readonly spent: number;
  /** Nothing was under way when Zoho was asked: its answer and the count were about the same rows. */
  readonly quiet: boolean;
  /** On the store's clock. */
  readonly askedAtMs: number;
}

/** An answer of Zoho is good for so long. */
export const ALLOWANCE_GOOD_MS = 900_000;

/** What was spent, and what of it was not certain, at one moment. */
export interface SpentSoFar {
  readonly spent: number;
  readonly open: number;
  readonly held: number;
}

/** The budget after a person set it to `rows`, or removed it (null). */
export function budgetSet(before: Budget | undefined, rows: number | null, spent: number): Budget {
  return { revision: (before?.revision ?? 0) + 1, rows, ceiling: rows === null ? null : spent + rows };
}

/** Rows that may still be submitted; null without a budget. Never below 0. */
export function budgetLeft(budget: Budget | undefined, spent: number): number | null {
  if (budget === undefined || budget.ceiling === null) return null;
  return Math.max(0, budget.ceiling - spent);
}

/**
 * The reserve after Zoho has told what is left. What was counted before it was asked, and may not be in its answer, is taken
 * off: the row may still arrive there.
 */
export function reserveAfter(left: number, { spent, open, held }: SpentSoFar, askedAtMs: number): Reserve {
  return { ceiling: spent + left - open - held, spent, quiet: open === 0, askedAtMs };
}

/** Rows that may still be submitted with `keep` left of the allowance afterwards. Never below 0. */
export function reserveLeft(reserve: Reserve, keep: number, spent: number): number {
  return Math.max(0, reserve.ceiling - keep - spent);
}
