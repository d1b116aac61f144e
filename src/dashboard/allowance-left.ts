import type { Control } from '../lib/core/control.js';
import type { RememberedAllowance } from '../lib/zoho/allowance.js';

/** What Zoho allows the org, as far as it tells. */
export interface AllowanceFigures {
  readonly total: number;
  readonly left: number;
  readonly source: 'zoho' | 'stats' | 'estimate';
  /** When Zoho was asked, on the store's clock. */
  readonly askedAtMs: number;
}

/**
 * The allowance as Zoho told it last, less what was submitted since: it is asked once a minute at most. A stop for a spent
 * allowance is a later answer than one from before it. Null when Zoho does not tell, or was not asked.
 */
export function allowanceLeft(
  remembered: RememberedAllowance | null,
  { stop }: Pick<Control, 'stop'>,
  submittedSince: number,
): AllowanceFigures | null {
  if (remembered === null || remembered.allowance === null) return null;
  const { total, left, source } = remembered.allowance;
  const isSpent = stop?.code === 'LIMIT_EXCEEDED' && stop.sinceMs > remembered.atMs;
  return { total, source, askedAtMs: remembered.atMs, left: isSpent ? 0 : Math.max(0, left - submittedSince) };
}
