import { setTimeout as sleep } from 'node:timers/promises';
import type { Control } from '../lib/core/control.js';
import type { Engine, QueueCounts } from '../lib/engine/engine.js';
import { StoreUnavailableError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue } from '../lib/queues.js';
import { type FleetLimits, fleetLimits } from '../lib/store/fleet-limits.js';
import { type BudgetFigures, readBudget } from '../lib/store/set-budget.js';
import type { FleetStats, LedgerCounts } from '../lib/store/store.js';
import type { RememberedAllowance } from '../lib/zoho/allowance.js';
import { queueAndLedger } from '../reports/queue-and-ledger.js';
import { type AllowanceFigures, allowanceLeft } from './allowance-left.js';
import { type Problems, readProblems } from './problems.js';

/** Everything the overview is made of, as one look at the engine found it. */
export interface Snapshot {
  readonly atMs: number;
  /** The same moment on a clock that nobody sets. */
  readonly steadyMs: number;
  readonly storeNowMs: number;
  readonly queue: QueueCounts;
  readonly ledger: LedgerCounts;
  readonly fleetStats: FleetStats;
  readonly control: Control;
  /** Null without a budget. */
  readonly budget: BudgetFigures | null;
  readonly problems: Problems;
  /** Of the workers; null when none ever ran. */
  readonly limits: FleetLimits | null;
  /** The latest answer anybody got; null when nobody asked. */
  readonly allowance: RememberedAllowance | null;
}

/** One point of the chart. */
export interface Point {
  readonly atMs: number;
  readonly perSecond: number;
  readonly inFlight: number;
}

/** What was seen: the same object as long as nothing new was. */
export interface OverviewState {
  readonly sample: Snapshot;
  readonly history: readonly Point[];
  readonly allowance: AllowanceFigures | null;
  /** Times the fleet was held back by Zoho since this dashboard looks. */
  readonly throttles: number;
  /** The latest stop that came again after it had been lifted; null when none did. */
  readonly triedAgain: { readonly code: string; readonly epoch: number } | null;
  readonly watchingSinceMs: number;
  /** Since when the engine cannot be read, and why; null while it can. */
  readonly problem: { readonly sinceMs: number; readonly message: string } | null;
}

export interface MonitorOptions {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly log: Logger;
  /** Has Zoho asked and the store told; called at most once a minute, while somebody watches. */
  readonly allowance?: (() => Promise<unknown>) | undefined;
}

/** Polls the engine once for all viewers. */
export interface Monitor {
  /** A snapshot taken after this call, or the previous one when that takes over 150 ms. Rejects with `StoreUnavailableError` when none was taken yet. */
  snapshot(): Promise<OverviewState>;
  /** The latest regular snapshot; while somebody asks, one is taken every second. Rejects as `look` does. */
  latest(): Promise<OverviewState>;
  close(): Promise<void>;
}

const WATCHED_MS = 1_000;
const UNWATCHED_MS = 5_000;
/** An open page asks every second. */
const WATCHER_GONE_MS = 5_000;
const ALLOWANCE_MS = 60_000;
const PROBLEMS_MS = 15_000;
const HISTORY_MS = 1_800_000;
const PATIENCE_MS = 2_000;
const PAGE_PATIENCE_MS = 150;
/** Polling takes a share of the engine's time at most. */
const PAUSE_SHARE = 5;

/** Polls the engine at regular times, whoever watches; each snapshot is a handful of reads that do not grow with the queue. */
export function createMonitor(options: MonitorOptions): Monitor {
  const { engine, queue, log } = options;
  const ended = new AbortController();
  let nap = new AbortController();
  let latest: Snapshot | null = null;
  let problem: OverviewState['problem'] = null;
  let history: readonly Point[] = [];
  let drawn: OverviewState | null = null;
  let lastRegular: Snapshot | null = null;
  let throttles = 0;
  let lastStop: { readonly code: string; readonly epoch: number } | null = null;
  let triedAgain: OverviewState['triedAgain'] = null;
  let problems: { readonly of: string; readonly atMs: number; readonly found: Problems } | null = null;
  let scheduledAtAnswer = 0;
  let allowanceAtMs = Number.NEGATIVE_INFINITY;
  let watchedAtMs = Number.NEGATIVE_INFINITY;
  const watchingSinceMs = Date.now();
  let running: Promise<void> | null = null;

  /** Joins the look that is under way, if there is one. */
  function lookOnce(): Promise<void> {
    running ??= takeSample().finally(() => {
      running = null;
    });
    return running;
  }

  async function takeSample(): Promise<void> {
    try {
      const sample = await readSample();
      if (latest !== null && isNewThrottle(latest.control, sample.control)) throttles += 1;
      if (sample.allowance?.atMs !== latest?.allowance?.atMs) scheduledAtAnswer = sample.ledger.scheduled;
      noteStop(sample.control);
      latest = sample;
      problem = null;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (problem === null) log.warn('dashboard.cannot-look', { message });
      problem ??= { sinceMs: Date.now(), message };
    }
  }

  function noteStop({ mode, stop, epoch }: Control): void {
    if (mode !== 'stopped' || stop === null) return;
    if (lastStop?.code === stop.code && epoch > lastStop.epoch && stop.code !== 'PAUSED')
      triedAgain = { code: stop.code, epoch };
    lastStop = { code: stop.code, epoch };
  }

  /** Failed rows are read whole, so only when their number changed, or after a while. */
  async function recentProblems(of: string): Promise<Problems> {
    const isRecent = problems !== null && performance.now() - problems.atMs < PROBLEMS_MS;
    if (problems !== null && isRecent && problems.of === of) return problems.found;
    problems = { of, atMs: performance.now(), found: await readProblems(queue, engine.store) };
    return problems.found;
  }

  /** An engine that went away lets reads wait for its return; people should not. */
  async function lookPatiently(): Promise<void> {
    // A look that began before this call may have missed what the caller has just changed.
    const looked = (running ?? Promise.resolve()).then(lookOnce);
    if (await isWithin(looked, PATIENCE_MS)) return;
    problem ??= { sinceMs: Date.now(), message: `${engine.description} does not answer.` };
  }

  function picture(): OverviewState {
    if (latest === null) throw new StoreUnavailableError(problem?.message ?? 'Nothing was seen of the queue yet.');
    const isDrawn = drawn?.sample === latest && drawn.history === history && drawn.problem === problem;
    if (drawn !== null && isDrawn) return drawn;
    const allowance = allowanceLeft(latest.allowance, latest.control, latest.ledger.scheduled - scheduledAtAnswer);
    drawn = { sample: latest, history, allowance, throttles, triedAgain, watchingSinceMs, problem };
    return drawn;
  }

  function keepPoint(): void {
    if (latest === null || latest === lastRegular) return;
    if (lastRegular !== null) {
      const seconds = (latest.steadyMs - lastRegular.steadyMs) / 1000;
      const submitted = Math.max(0, latest.ledger.scheduled - lastRegular.ledger.scheduled);
      const point = { atMs: latest.atMs, perSecond: submitted / seconds, inFlight: latest.fleetStats.inFlight };
      history = [...history.filter(({ atMs }) => atMs > point.atMs - HISTORY_MS), point];
    }
    lastRegular = latest;
  }

  /** Not awaited by the looks: Zoho may take its time. */
  function askForAllowance(): void {
    if (options.allowance === undefined || !isWatched() || performance.now() - allowanceAtMs < ALLOWANCE_MS) return;
    allowanceAtMs = performance.now();
    void options.allowance().catch(() => undefined);
  }

  async function lookAtRegularTimes(): Promise<void> {
    while (!ended.signal.aborted) {
      const startedAtMs = performance.now();
      await lookPatiently();
      const tookMs = performance.now() - startedAtMs;
      keepPoint();
      askForAllowance();
      nap = new AbortController();
      const pauseMs = Math.max(isWatched() ? WATCHED_MS : UNWATCHED_MS, tookMs * PAUSE_SHARE);
      await sleep(pauseMs, undefined, { signal: AbortSignal.any([nap.signal, ended.signal]) }).catch(() => undefined);
    }
  }

  const looking = lookAtRegularTimes();

  function isWatched(): boolean {
    return performance.now() - watchedAtMs < WATCHER_GONE_MS;
  }

  function noteWatcher(): void {
    const isFirst = !isWatched();
    watchedAtMs = performance.now();
    if (isFirst) nap.abort();
  }

  return {
    latest: async () => {
      noteWatcher();
      if (latest === null) await lookPatiently();
      return picture();
    },
    snapshot: async () => {
      noteWatcher();
      const looked = lookPatiently();
      // The embedded engine takes a while to count many jobs.
      if (latest === null) await looked;
      else await isWithin(looked, PAGE_PATIENCE_MS);
      return picture();
    },
    close: async () => {
      ended.abort();
      await looking;
      await isWithin(Promise.resolve(running), PATIENCE_MS);
    },
  };

  async function readSample(): Promise<Snapshot> {
    const [{ queue, ledger }, fleetStats, { control, storeNowMs, budget }, limits, allowance] = await Promise.all([
      queueAndLedger(engine),
      engine.store.fleetStats(),
      readBudget(engine.store),
      fleetLimits(engine.store),
      engine.store.document<RememberedAllowance>('allowance').read(),
    ]);
    const problems = await recentProblems(`${queue.failed} ${ledger.failed} ${ledger.held}`);
    return {
      atMs: Date.now(),
      steadyMs: performance.now(),
      storeNowMs,
      queue,
      ledger,
      fleetStats,
      control,
      budget,
      problems,
      limits,
      allowance: allowance.value,
    };
  }
}

async function isWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const done = new AbortController();
  const late = sleep(limitMs, false, { signal: done.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    done.abort();
  }
}

function isNewThrottle(before: Control, after: Control): boolean {
  return after.backoffReason === 'throttled' && after.backoffSinceMs !== before.backoffSinceMs;
}
