import type { WorkSettings } from '../lib/config.js';
import { ALLOWANCE_GOOD_MS, reserveLeft } from '../lib/core/budget.js';
import { type Control, INITIAL_CONTROL } from '../lib/core/control.js';
import type { History, HistoryLook } from '../lib/core/history.js';
import { nextTryMs } from '../lib/core/next-try.js';
import type { Engine, QueueCounts } from '../lib/engine/engine.js';
import { type BudgetFigures, budgetFigures } from '../lib/store/set-budget.js';
import type { Allowance } from '../lib/zoho/allowance.js';
import { queueAndLedger } from './queue-and-ledger.js';

/** The `status --json` document, without a file's part. */
export interface QueueStatus {
  readonly engine: 'redis' | 'embedded';
  /** `completed`: rows submitted, as the ledger counts them; their jobs are not kept for good. */
  readonly queue: QueueCounts;
  /** Null when the fleet is not stopped; `since` is ISO 8601. */
  readonly stop: StopStatus | null;
  /** What the org has left, as far as Zoho tells; null when it has not told. */
  readonly allowance: Allowance | null;
  /** How many more rows may be submitted; null when nobody set a budget. */
  readonly budget: BudgetFigures | null;
  /** Absent when none of the allowance is kept back. */
  readonly reserve?: ReserveStatus;
  /** Rows sent whose answer was lost, waiting for a look-up. */
  readonly uncertain: number;
  /** Uncertain rows that only a person may decide. */
  readonly held: number;
  /** Submitted rows whose result is still to be collected. */
  readonly pending: number;
  /** The look at Zoho's list that has to be over before anything is sent; absent when none is due. */
  readonly look?: LookStatus;
  /** Fields that rows go without since `resume --without`; absent: none. */
  readonly without?: readonly string[];
}

export interface ReserveStatus {
  /** ZIA_KEEP_ALLOWANCE. */
  readonly keep: number;
  /** Rows that may be sent until only these are left; null when Zoho has not told lately. */
  readonly left: number | null;
  /** When Zoho told, ISO 8601. */
  readonly asked: string | null;
}

export interface LookStatus {
  /** ISO 8601. */
  readonly since: string;
  /** Enrichments that no row owns, so many in all and asked for so far; null before the list was read. */
  readonly orphans: number | null;
  readonly asked: number | null;
  /** At the pace so far; null while it cannot be told. */
  readonly secondsLeft: number | null;
}

export interface StopStatus {
  readonly code: string;
  readonly message: string;
  readonly since: string;
  readonly epoch: number;
  /** When the workers try again by themselves, ISO 8601; absent when only a person resumes. */
  readonly nextTry?: string;
}

/** What of the configuration status tells. */
type StatusSettings = Partial<Pick<WorkSettings, 'resumeAfterLimitMs' | 'keepAllowance'>>;

/** The queue and the stop as they are now: a few reads, changes nothing. */
export async function queueStatus(
  engine: Engine,
  allowance: Allowance | null = null,
  { resumeAfterLimitMs = 0, keepAllowance = 0 }: StatusSettings = {},
): Promise<QueueStatus> {
  const [{ queue, ledger }, { spent }, control, history] = await Promise.all([
    queueAndLedger(engine),
    engine.store.spending(),
    engine.store.control.read(),
    engine.store.document<History>('history').read(),
  ]);
  const now = control.value ?? INITIAL_CONTROL;
  const { mode, stop, epoch, without = [] } = now;
  return {
    engine: engine.kind,
    queue: { ...queue, completed: ledger.scheduled },
    stop:
      mode === 'stopped' && stop !== null
        ? {
            code: stop.code,
            message: stop.message,
            since: new Date(stop.sinceMs).toISOString(),
            epoch,
            ...nextTry(nextTryMs(now, resumeAfterLimitMs)),
          }
        : null,
    allowance,
    budget: budgetFigures(now, spent),
    ...(keepAllowance > 0 && { reserve: reserveStatus(now, keepAllowance, spent, control.nowMs) }),
    uncertain: ledger.uncertain,
    held: ledger.held,
    pending: ledger.pending,
    ...(history.value?.look && { look: lookStatus(history.value.look, history.nowMs) }),
    ...(without.length > 0 && { without }),
  };
}

function reserveStatus({ reserve }: Control, keep: number, spent: number, nowMs: number): ReserveStatus {
  const isGood = reserve !== undefined && nowMs - reserve.askedAtMs < ALLOWANCE_GOOD_MS;
  if (!isGood) return { keep, left: null, asked: null };
  return { keep, left: reserveLeft(reserve, keep, spent), asked: new Date(reserve.askedAtMs).toISOString() };
}

function lookStatus({ sinceMs, progress }: HistoryLook, nowMs: number): LookStatus {
  const { orphans, asked } = progress ?? { orphans: null, asked: null };
  const left = progress && progress.asked > 0 ? (progress.orphans - progress.asked) / progress.asked : null;
  const secondsLeft = progress && left !== null ? Math.round((left * (nowMs - progress.sinceMs)) / 1_000) : null;
  return { since: new Date(sinceMs).toISOString(), orphans, asked, secondsLeft };
}

function nextTry(ms: number | null): Pick<StopStatus, 'nextTry'> {
  return ms === null ? {} : { nextTry: new Date(ms).toISOString() };
}
