import { createInterface } from 'node:readline/promises';
import { makePlan, type PlanFlags, planLine, recordIdLine } from './plan.js';
import type { Session } from './session.js';
import { note } from './terminal.js';

export interface SpendingFlags extends PlanFlags {
  /** Do not ask. */
  readonly yes?: boolean;
}

/**
 * Shows what a file will cost and asks once whether to go on. True without a question when `--yes` says so, when nobody
 * sits at a terminal, and when the file has no new rows.
 */
export async function maySpend(session: Session, path: string, flags: SpendingFlags): Promise<boolean> {
  if (flags.yes || path === '-' || !process.stdin.isTTY || !process.stderr.isTTY) return true;
  const plan = await makePlan(session, path, flags);
  if (plan.enqueued === 0) return true;
  note(planLine(plan, session));
  if (plan.withRecordId > 0) note(recordIdLine(plan));
  if (await confirmed(`Queue ${plan.enqueued === 1 ? 'it' : 'them'}? [y/N] `, session.shutdown.signal)) return true;
  note('Nothing was queued.');
  return false;
}

/** Ctrl-C, Ctrl-D and every answer but yes are a no. */
async function confirmed(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const declined = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
  try {
    const answer = await Promise.race([terminal.question(question, { signal }).catch(() => ''), declined]);
    return /^\s*y(es)?\s*$/i.test(answer);
  } finally {
    terminal.close();
  }
}
