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
import { isWithin, PATIENCE_MS } from './is-within.js';
import { type Problems, readProblems } from './problems.js';
import { createStoppedCompany } from './stopped-company.js';

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
  /** Of the row that the stop names. */
  readonly stoppedCompany: string | null;
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

const WATCHED_MS = 1_000;
const UNWATCHED_MS = 5_000;
/** An open page asks every second. */
const WATCHER_GONE_MS = 5_000;
const ALLOWANCE_MS = 60_000;
const PROBLEMS_MS = 15_000;
const HISTORY_MS = 1_800_000;
const PAGE_PATIENCE_MS = 150;
/** Polling takes a share of the engine's time at most. */
const PAUSE_SHARE = 5;

/** Polls the engine at regular times, whoever watches; each snapshot is a handful of reads that do not grow with the queue. */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #ended = new AbortController();
  #nap = new AbortController();
  readonly #companyOf: ReturnType<typeof createStoppedCompany>;
  #latest: Snapshot | null = null;
  #problem: OverviewState['problem'] = null;
  #history: readonly Point[] = [];
  #drawn: OverviewState | null = null;
  #lastRegular: Snapshot | null = null;
  #throttles = 0;
  #lastStop: { readonly code: string; readonly epoch: number } | null = null;
  #triedAgain: OverviewState['triedAgain'] = null;
  #problems: { readonly of: string; readonly atMs: number; readonly found: Problems } | null = null;
  #scheduledAtAnswer = 0;
  #allowanceAtMs = Number.NEGATIVE_INFINITY;
  #watchedAtMs = Number.NEGATIVE_INFINITY;
  readonly #watchingSinceMs = Date.now();
  #running: Promise<void> | null = null;
  readonly #looking: Promise<void>;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#companyOf = createStoppedCompany(options.engine, options.queue);
    this.#looking = this.#lookAtRegularTimes();
  }

  /** The latest regular snapshot; while somebody asks, one is taken every second. Rejects as `snapshot` does. */
  async latest(): Promise<OverviewState> {
    this.#noteWatcher();
    if (this.#latest === null) await this.#lookPatiently();
    return this.#overview();
  }

  /**
   * A snapshot taken after this call, or the previous one when that takes over 150 ms. Rejects with `StoreUnavailableError`
   * when none was taken yet.
   */
  async snapshot(): Promise<OverviewState> {
    this.#noteWatcher();
    const looked = this.#lookPatiently();
    // The embedded engine takes a while to count many jobs.
    if (this.#latest === null) await looked;
    else await isWithin(looked, PAGE_PATIENCE_MS);
    return this.#overview();
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#looking;
    await isWithin(Promise.resolve(this.#running), PATIENCE_MS);
  }

  /** Joins the look that is under way, if there is one. */
  #lookOnce(): Promise<void> {
    this.#running ??= this.#takeSample().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #takeSample(): Promise<void> {
    try {
      const sample = await this.#readSample();
      if (this.#latest !== null && isNewThrottle(this.#latest.control, sample.control)) this.#throttles += 1;
      if (sample.allowance?.atMs !== this.#latest?.allowance?.atMs) this.#scheduledAtAnswer = sample.ledger.scheduled;
      this.#noteStop(sample.control);
      this.#latest = sample;
      this.#problem = null;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (this.#problem === null) this.#options.log.warn('dashboard.cannot-look', { message });
      this.#problem ??= { sinceMs: Date.now(), message };
    }
  }

  #noteStop({ mode, stop, epoch }: Control): void {
    if (mode !== 'stopped' || stop === null) return;
    if (this.#lastStop?.code === stop.code && epoch > this.#lastStop.epoch && stop.code !== 'PAUSED')
      this.#triedAgain = { code: stop.code, epoch };
    this.#lastStop = { code: stop.code, epoch };
  }

  /** Failed rows are read whole, so only when their number changed, or after a while. */
  async #recentProblems(of: string): Promise<Problems> {
    const isRecent = this.#problems !== null && performance.now() - this.#problems.atMs < PROBLEMS_MS;
    if (this.#problems !== null && isRecent && this.#problems.of === of) return this.#problems.found;
    this.#problems = {
      of,
      atMs: performance.now(),
      found: await readProblems(this.#options.queue, this.#options.engine.store),
    };
    return this.#problems.found;
  }

  /** An engine that went away lets reads wait for its return; people should not. */
  async #lookPatiently(): Promise<void> {
    // A look that began before this call may have missed what the caller has just changed.
    const looked = (this.#running ?? Promise.resolve()).then(() => this.#lookOnce());
    if (await isWithin(looked, PATIENCE_MS)) return;
    this.#problem ??= { sinceMs: Date.now(), message: `${this.#options.engine.description} does not answer.` };
  }

  #overview(): OverviewState {
    if (this.#latest === null)
      throw new StoreUnavailableError(this.#problem?.message ?? 'Nothing was seen of the queue yet.');
    const isDrawn =
      this.#drawn?.sample === this.#latest &&
      this.#drawn.history === this.#history &&
      this.#drawn.problem === this.#problem;
    if (this.#drawn !== null && isDrawn) return this.#drawn;
    const allowance = allowanceLeft(
      this.#latest.allowance,
      this.#latest.control,
      this.#latest.ledger.scheduled - this.#scheduledAtAnswer,
    );
    this.#drawn = {
      sample: this.#latest,
      history: this.#history,
      allowance,
      throttles: this.#throttles,
      triedAgain: this.#triedAgain,
      watchingSinceMs: this.#watchingSinceMs,
      problem: this.#problem,
    };
    return this.#drawn;
  }

  #keepPoint(): void {
    if (this.#latest === null || this.#latest === this.#lastRegular) return;
    if (this.#lastRegular !== null) {
      const seconds = (this.#latest.steadyMs - this.#lastRegular.steadyMs) / 1000;
      const submitted = Math.max(0, this.#latest.ledger.scheduled - this.#lastRegular.ledger.scheduled);
      const point = {
        atMs: this.#latest.atMs,
        perSecond: submitted / seconds,
        inFlight: this.#latest.fleetStats.inFlight,
      };
      this.#history = [...this.#history.filter(({ atMs }) => atMs > point.atMs - HISTORY_MS), point];
    }
    this.#lastRegular = this.#latest;
  }

  /** Not awaited by the looks: Zoho may take its time. */
  #askForAllowance(): void {
    if (
      this.#options.allowance === undefined ||
      !this.#isWatched() ||
      performance.now() - this.#allowanceAtMs < ALLOWANCE_MS
    )
      return;
    this.#allowanceAtMs = performance.now();
    void this.#options.allowance().catch(() => undefined);
  }

  async #lookAtRegularTimes(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const startedAtMs = performance.now();
      await this.#lookPatiently();
      const tookMs = performance.now() - startedAtMs;
      this.#keepPoint();
      this.#askForAllowance();
      this.#nap = new AbortController();
      const pauseMs = Math.max(this.#isWatched() ? WATCHED_MS : UNWATCHED_MS, tookMs * PAUSE_SHARE);
      await sleep(pauseMs, undefined, { signal: AbortSignal.any([this.#nap.signal, this.#ended.signal]) }).catch(
        () => undefined,
      );
    }
  }

  #isWatched(): boolean {
    return performance.now() - this.#watchedAtMs < WATCHER_GONE_MS;
  }

  #noteWatcher(): void {
    const isFirst = !this.#isWatched();
    this.#watchedAtMs = performance.now();
    if (isFirst) this.#nap.abort();
  }

  async #readSample(): Promise<Snapshot> {
    const [{ queue, ledger }, fleetStats, { control, storeNowMs, budget }, limits, allowance] = await Promise.all([
      queueAndLedger(this.#options.engine),
      this.#options.engine.store.fleetStats(),
      readBudget(this.#options.engine.store),
      fleetLimits(this.#options.engine.store),
      this.#options.engine.store.document<RememberedAllowance>('allowance').read(),
    ]);
    const stoppedCompany = await this.#companyOf(control.stop);
    const problems = await this.#recentProblems(`${queue.failed} ${ledger.failed} ${ledger.held}`);
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
      stoppedCompany,
      limits,
      allowance: allowance.value,
    };
  }
}

function isNewThrottle(before: Control, after: Control): boolean {
  return after.backoffReason === 'throttled' && after.backoffSinceMs !== before.backoffSinceMs;
}
