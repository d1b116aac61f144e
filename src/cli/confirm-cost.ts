import { formatRows } from '../lib/core/format.js';
import { checkText } from '../producers/check-text.js';
import { planLine, recordIdLine } from '../producers/plan-within.js';
import { makePlan, type PlanFlags } from './plan.js';
import { canAsk, confirmed } from './prompt.js';
import type { Session } from './session.js';
import { note } from './terminal.js';

export interface SpendingFlags extends PlanFlags {
  /** Do not ask. */
  readonly yes?: boolean;
}

const NOTHING_QUEUED = 'Nothing was queued.';

/**
 * Shows what a file will cost and asks once whether to go on. `unasked` without a question when `--yes` says so, when nobody
 * sits at a terminal, and when the file has no new rows; the check of the file is then still to be shown.
 */
export async function confirmCost(
  session: Session,
  path: string,
  flags: SpendingFlags,
): Promise<'confirmed' | 'unasked' | 'refused'> {
  if (flags.yes || path === '-' || !canAsk()) return 'unasked';
  const plan = await makePlan(session, path, flags);
  if (plan.enqueued === 0) return 'unasked';
  note(checkText(plan, session.config.work.module));
  note(planLine(plan));
  if (plan.withRecordId > 0) note(recordIdLine(plan));
  const question = `Send ${formatRows(plan.enqueued)} to Zia?`;
  if (await confirmed(question, session.shutdown.signal, NOTHING_QUEUED)) return 'confirmed';
  note(NOTHING_QUEUED);
  return 'refused';
}
