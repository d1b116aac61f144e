import { type Estimate, estimateOf } from '../lib/core/estimate.js';
import { formatCount, formatDuration, formatRows } from '../lib/core/format.js';
import type { Engine } from '../lib/engine/engine.js';
import { type BudgetFigures, readBudget } from '../lib/store/set-budget.js';
import type { Allowance } from '../lib/zoho/allowance.js';
import type { FilePlan } from './plan-file.js';

/** What enqueueing a file would do and cost: the `plan --json` document. */
export interface Plan extends FilePlan {
  /** Rows in the queue that are sent before those of the file. */
  readonly ahead: number;
  readonly allowance: Allowance | null;
  /** How much of it is kept back. */
  readonly keep: number;
  readonly budget: BudgetFigures | null;
  readonly calls: Pick<Estimate, 'posts' | 'polls'>;
  /** At the configured pace, results included. */
  readonly seconds: number;
}

/** What enqueueing a file would do with this allowance; `plan` reads the file, told how many new rows are covered. */
export async function planWithin(
  engine: Pick<Engine, 'counts' | 'store'>,
  { ratePerSecond, keepAllowance: keep = 0 }: { readonly ratePerSecond: number; readonly keepAllowance?: number },
  allowance: Allowance | null,
  plan: (covers: number | null) => Promise<FilePlan>,
): Promise<Plan> {
  const { waiting, active, delayed } = await engine.counts();
  const ahead = waiting + active + delayed;
  const { budget } = await readBudget(engine.store);
  const ends = [...(allowance === null ? [] : [allowance.left - keep]), ...(budget === null ? [] : [budget.left])];
  const covers = ends.length === 0 ? null : Math.max(0, Math.min(...ends) - ahead);
  const { rows: read, ...file } = await plan(covers);
  const { seconds, ...calls } = estimateOf(file.enqueued, ratePerSecond);
  return { ...file, rows: read, ahead, allowance, keep, budget, calls, seconds };
}

/** What record ids in a file mean. */
export function recordIdLine({ withRecordId }: Pick<Plan, 'withRecordId'>): string {
  return `${formatRows(withRecordId)} with a record id: Zoho may write what it finds to those records.`;
}

/** The plan in one line: what it uses, how far the allowance reaches, and how long it takes. */
export function planLine(plan: Plan): string {
  const { enqueued, seconds } = plan;
  if (enqueued === 0) return 'No new rows: nothing would be queued.';
  const time = `Sending takes about ${formatDuration(seconds)}; results usually follow within minutes.`;
  return `${formatCount(enqueued)} new ${enqueued === 1 ? 'row' : 'rows'}: ${coverage(plan)}. ${time}`;
}

function coverage(plan: Plan): string {
  const { enqueued, ahead, covered, endsAtLine } = plan;
  const uses = `uses ${formatCount(enqueued)} ${enqueued === 1 ? 'enrichment' : 'enrichments'}`;
  if (covered === null) return `${uses}; how many are left is not known`;
  const left = leftWords(plan);
  const before = ahead === 0 ? '' : `, after ${formatRows(ahead)} ahead in the queue`;
  if (endsAtLine === null) return `${uses} of ${left}${before}; ${afterWords(plan)} left after them`;
  if (covered === 0) return `${uses}, and of ${left}${before} there is none for these rows`;
  return `${uses}, and of ${left}${before} you can afford ${formatCount(covered)} of these rows (up to line ${formatCount(endsAtLine - 1)})`;
}

/** `1,000 left (500 kept back) and a budget of 200` */
function leftWords({ allowance, keep, budget }: Plan): string {
  const kept = keep === 0 ? '' : ` (${formatCount(keep)} kept back)`;
  const words = [
    allowance && `${allowance.source === 'zoho' ? '' : 'an estimated '}${formatCount(allowance.left)} left${kept}`,
    budget && `a budget of ${formatCount(budget.left)}`,
  ];
  return words.filter((word) => word !== null).join(' and ');
}

/** What of each is there when the rows are sent. */
function afterWords({ allowance, budget, ahead, enqueued }: Plan): string {
  const after = (left: number) => formatCount(Math.max(0, left - ahead - enqueued));
  const words = [allowance && after(allowance.left), budget && `${after(budget.left)} of the budget`];
  return words.filter((word) => word !== null).join(' and ');
}
