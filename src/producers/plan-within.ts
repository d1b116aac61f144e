import { type Estimate, estimateOf } from '../lib/core/estimate.js';
import { formatCount, formatDuration, formatRows } from '../lib/core/format.js';
import type { Engine } from '../lib/engine/engine.js';
import type { Allowance } from '../lib/zoho/allowance.js';
import type { FilePlan } from './plan-file.js';

/** What enqueueing a file would do and cost: the `plan --json` document. */
export interface Plan extends FilePlan {
  /** Rows in the queue that are sent before those of the file. */
  readonly ahead: number;
  readonly allowance: Allowance | null;
  readonly calls: Pick<Estimate, 'posts' | 'polls'>;
  /** At the configured pace, results included. */
  readonly seconds: number;
}

/** What enqueueing a file would do with this allowance; `plan` reads the file, told how many new rows are covered. */
export async function planWithin(
  engine: Pick<Engine, 'counts'>,
  { ratePerSecond }: { readonly ratePerSecond: number },
  allowance: Allowance | null,
  plan: (covers: number | null) => Promise<FilePlan>,
): Promise<Plan> {
  const { waiting, active, delayed } = await engine.counts();
  const ahead = waiting + active + delayed;
  const covers = allowance === null ? null : Math.max(0, allowance.left - ahead);
  const { rows: read, ...file } = await plan(covers);
  const { seconds, ...calls } = estimateOf(file.enqueued, ratePerSecond);
  return { ...file, rows: read, ahead, allowance, calls, seconds };
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

function coverage({ enqueued, ahead, covered, endsAtLine, allowance }: Plan): string {
  const uses = `uses ${formatCount(enqueued)} ${enqueued === 1 ? 'enrichment' : 'enrichments'}`;
  if (covered === null || allowance === null) return `${uses}; how many are left is not known`;
  const left = `${allowance.source === 'zoho' ? '' : 'an estimated '}${formatCount(allowance.left)} left`;
  const before = ahead === 0 ? '' : `, after ${formatRows(ahead)} ahead in the queue`;
  const after = formatCount(Math.max(0, allowance.left - ahead - enqueued));
  if (endsAtLine === null) return `${uses} of ${left}${before}; ${after} left after them`;
  if (covered === 0) return `${uses}, and of ${left}${before} there is none for these rows`;
  return `${uses}, and of ${left}${before} you can afford ${formatCount(covered)} of these rows (up to line ${formatCount(endsAtLine - 1)})`;
}
