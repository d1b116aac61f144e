import type { Reserve } from './budget.js';
import { type Control, stopped } from './control.js';
import { formatRows } from './format.js';

export type SpentOut = 'budget' | 'reserve';

/** The codes of the stops that the fleet raises by its own ceilings. */
export const SPENT_CODES = { budget: 'BUDGET_SPENT', reserve: 'RESERVE_REACHED' } as const;

/**
 * The stop for a row that found nothing left. `seen` is the control state it was refused by: unchanged when a person has set
 * the budget, or Zoho has told more, since then.
 */
export function spentOut(control: Control, seen: Control, reason: SpentOut, keep: number, nowMs: number): Control {
  if (control.epoch !== seen.epoch) return control;
  if (control.budget?.revision !== seen.budget?.revision) return control;
  if (reason === 'reserve' && control.reserve?.askedAtMs !== seen.reserve?.askedAtMs) return control;
  const message = reason === 'budget' ? budgetMessage(control.budget?.rows ?? 0) : reserveMessage(keep);
  return stopped(control, { code: SPENT_CODES[reason], message, sinceMs: nowMs, key: null, line: null });
}

/** Zoho does not tell what is left, so nothing is sent: `code` is why. */
export function reserveUnknown(control: Control, code: string, nowMs: number): Control {
  return stopped(control, {
    code: 'RESERVE_UNKNOWN',
    message: `Zoho does not tell what is left of the allowance (${code}), so ZIA_KEEP_ALLOWANCE cannot be kept and nothing is sent; see npm run doctor for what the token lacks, or remove the setting, then resume.`,
    sinceMs: nowMs,
    key: null,
    line: null,
  });
}

/** Takes note of what Zoho told; unchanged when a later answer is known. */
export function reserveTold(control: Control, reserve: Reserve, nowMs: number): Control {
  const known = control.reserve?.askedAtMs ?? 0;
  // One of a time to come is from before the clock was set back.
  return known > reserve.askedAtMs && known <= nowMs ? control : { ...control, reserve };
}

/** Nothing is sent by an answer from before: the store has lost what was submitted since. */
export function reserveForgotten(control: Control): Control {
  if (control.reserve === undefined) return control;
  const { reserve: _old, ...rest } = control;
  return rest;
}

function budgetMessage(rows: number): string {
  return `The budget of ${formatRows(rows)} is spent; set a new one (npm run budget 500) or none (npm run budget off), then resume.`;
}

function reserveMessage(keep: number): string {
  return `No more is left of the allowance than is to be kept (ZIA_KEEP_ALLOWANCE=${keep}); wait until Zoho renews it or keep less, then resume.`;
}
