import { randomInt, randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../lib/engine/engine.js';
import { logEngineWarnings } from '../lib/engine/engine-warnings.js';
import { AppError, UsageError } from '../lib/errors.js';
import type { Logger } from '../lib/logger.js';
import type { EnrichQueue, EnrichWorker } from '../lib/queues.js';
import { noteLimits } from '../lib/store/fleet-limits.js';
import { createInFlight } from '../lib/store/in-flight.js';
import type { AccessTokens } from '../lib/zoho/access-tokens.js';
import type { ZohoClient } from '../lib/zoho/client.js';
import { Claims } from './claims.js';
import { createFleetControl } from './fleet-control.js';
import { Heartbeat } from './heartbeat.js';
import { ReserveKeeper, type ReserveSettings } from './keep-reserve.js';
import { createReadinessTracker, type Readiness } from './readiness.js';
import { resumeByItself } from './resume-by-itself.js';
import { type NoticeSettings, sendNotices, tellLast } from './send-notices.js';
import { submitRow } from './submit-row.js';
import { createSubmitWorker } from './submit-worker.js';
import { runSweep } from './sweep.js';
import { type Timing, timingFor } from './timing.js';
import { type WorkerProgress, type WorkerReport, watchQueue } from './watch-queue.js';
import { createZohoClock } from './zoho-clock.js';
import { createZohoReads } from './zoho-reads.js';

/** The numbers of the configuration that a worker needs. */
export interface WorkerSettings {
  readonly ratePerSecond: number;
  readonly maxInFlight: number;
  readonly concurrency: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  readonly requestTimeoutMs: number;
  readonly onUncertain: 'resend' | 'hold';
  /** The shortest wait between two looks for results; grows while they find little. */
  readonly resultPollMs: number;
  /** A row that Zoho has not finished after this long is no longer asked for. */
  readonly resultMaxAgeHours: number;
  /** Keep logos and long texts of results too; default false. */
  readonly keepLargeResults?: boolean;
  /** Default 0: results are kept for good. */
  readonly keepResultsMs?: number;
  /** After LIMIT_EXCEEDED the fleet resumes by itself after so long; 0, the default, is never. */
  readonly resumeAfterLimitMs?: number;
  /** Time for calls in flight to finish after `stopSignal`; then the worker ends anyway. */
  readonly shutdownDeadlineMs: number;
}

export interface RunWorkerOptions {
  readonly engine: Engine;
  readonly zoho: ZohoClient;
  readonly tokens: AccessTokens;
  readonly settings: WorkerSettings;
  readonly log: Logger;
  /** Its intervals, leases and pauses; default those of `timingFor(settings.requestTimeoutMs)`. */
  readonly timing?: Timing;
  /** End when nothing is left to do, or when the queue is stopped. */
  readonly untilIdle: boolean;
  /**
   * With `untilIdle`: go on until the results of what was submitted lately are there, as long as any come in and the
   * account may read them. Default false.
   */
  readonly waitForResults?: boolean;
  /** How long to wait for results while none comes; default 20 of the shortest waits between two looks, at least a minute. */
  readonly patienceMs?: number | undefined;
  /** Drain: finish what is in flight, start nothing, return. */
  readonly stopSignal: AbortSignal;
  readonly onProgress?: (progress: WorkerProgress) => void;
  /** Keeps some of the allowance back; absent: nothing. */
  readonly reserve?: ReserveSettings | undefined;
  /** Tells people of stops and ends; absent: nobody is told. */
  readonly notices?: NoticeSettings;
  /** Called once, at the start, with what tells at any time whether this worker takes rows, and why not. */
  readonly onReadiness?: (readiness: () => Readiness) => void;
}

/**
 * Runs one worker until it is idle, stopped or told to end. Everything it opened is closed when it returns; the engine stays
 * open. Rejects with `AppError` when the loop that fetches rows breaks.
 */
export async function runWorker(options: RunWorkerOptions): Promise<WorkerReport> {
  const { engine, settings, log } = options;
  // Every row that waits for its slot listens to it, and there may be any number.
  setMaxListeners(0, options.stopSignal);
  const parts = assemble(options);
  const { workerId, timing, worker, heartbeat, signs, refused } = parts;
  options.onReadiness?.(signs.readiness);
  const queue = engine.openQueue();
  const watch = await watchQueue(engine);
  await heartbeat.start();
  await noteLimits(engine.store, { ...settings, workerId, members: heartbeat.workers }, log);
  void logEngineWarnings(engine, log);
  const ending = new AbortController();
  const loops = startLoops(options, parts, queue, ending.signal);
  const crash = crashOf(worker, log);
  signs.enter('running');
  log.info('worker.started', { workerId, concurrency: settings.concurrency });
  let ended: WorkerReport['ended'];
  try {
    const done = watch.untilDone({
      ...options,
      stopSignal: AbortSignal.any([options.stopSignal, ending.signal]),
      resultPollMs: settings.resultPollMs,
      watchEveryMs: timing.watchEveryMs,
    });
    ended = await Promise.race([done, crash, refused]);
  } finally {
    signs.enter('ending');
    ending.abort();
    await Promise.all([
      drain(worker, settings.shutdownDeadlineMs, log),
      within(loops.ended, settings.shutdownDeadlineMs),
    ]);
    await loops.tellLast();
    await queue.close();
    await heartbeat.close();
    log.info('worker.ended', { workerId });
  }
  // Now that the calls in flight are finished.
  return watch.report(ended);
}

/** The parts of one worker, none of them running. */
function assemble(options: RunWorkerOptions) {
  const { engine, settings, log } = options;
  const backoff = { baseMs: settings.backoffBaseMs, capMs: settings.backoffCapMs };
  const timing = options.timing ?? timingFor(settings.requestTimeoutMs);
  const random = () => randomInt(2 ** 32) / 2 ** 32;
  const workerId = randomUUID().slice(0, 13);
  const clock = createZohoClock();
  const zoho = clock.listen(options.zoho);
  const { store } = engine;
  const claims = new Claims({ store, workerId, zohoNowMs: clock.nowMs, log });
  const { ratePerSecond: callsPerSecond, maxInFlight } = settings;
  const limits = { callsPerSecond, maxInFlight, permitTtlMs: timing.permitTtlMs };
  const inFlight = createInFlight(workerId, limits, timing.askAgainMs);
  const control = createFleetControl({ store, policy: { maxInFlight, backoff }, log, random });
  const onMayFetch = (mayFetch: boolean) => {
    signs.moved();
    void (mayFetch ? worker.resume() : worker.pause(true));
  };
  const heartbeat = new Heartbeat({ claims, control, inFlight, timing, log, onMayFetch });
  const signs = createReadinessTracker(control, heartbeat, { ...settings, timing });
  const { refused, onRefused } = refusal(log);
  const reserve = options.reserve && new ReserveKeeper({ ...options.reserve, store, timing, log });
  const { tokens, stopSignal: shutdown } = options;
  const deps = { store, claims, zoho, tokens, control, inFlight, timing, shutdown, log, onRefused, reserve };
  const submit = (data: unknown) => signs.during(() => submitRow(data, deps));
  const worker = createSubmitWorker(
    { concurrency: settings.concurrency, backoff },
    { engine, heartbeat, timing, log, random, onFetch: signs.fetched, submit },
  );
  return { workerId, timing, heartbeat, signs, refused, reserve, worker, reads: createZohoReads(deps) };
}

/** What a worker does beside its rows, until `signal`: look rows and results up, keep the reserve, resume, tell people. */
function startLoops(
  { engine, settings, notices, log }: RunWorkerOptions,
  { workerId, timing, heartbeat, reserve, reads }: ReturnType<typeof assemble>,
  queue: EnrichQueue,
  signal: AbortSignal,
) {
  const sweeping = runSweep(
    {
      engine,
      queue,
      reads,
      settings: { keepLargeResults: false, ...settings, workerId, timing },
      log,
      looking: () => heartbeat.looking,
      workers: () => heartbeat.workers,
    },
    signal,
  );
  const unattended = {
    engine,
    store: engine.store,
    workerId,
    everyMs: timing.unattendedEveryMs,
    reserve,
    afterLimitMs: settings.resumeAfterLimitMs ?? 0,
    log,
  };
  const telling = notices === undefined ? undefined : { ...unattended, ...notices };
  return {
    ended: Promise.all([
      sweeping,
      resumeByItself(unattended, signal),
      reserve?.keepAsking(signal),
      telling && sendNotices(telling, signal),
    ]),
    /** What happened last, such as the end of all work, would else be told by the next worker only. */
    tellLast: async () => telling && tellLast(telling),
  };
}

/** A promise that only rejects, once, and the function that makes it: this worker's credentials are no good, the fleet's are. */
function refusal(log: Logger) {
  let reject: (error: Error) => void = () => undefined;
  const refused = new Promise<never>((_, no) => {
    reject = no;
  });
  refused.catch(() => undefined);
  const onRefused = ({ code }: { readonly code: string }) => {
    log.error('worker.refused', { code });
    const message = `Zoho refuses the credentials of this worker (${code}) while the others' work: it ends, and the fleet goes on; correct ZOHO_REFRESH_TOKEN here (npm run doctor), then start it again.`;
    reject(new UsageError('CREDENTIALS_REFUSED', message));
  };
  return { refused, onRefused };
}

/** Runs the worker; rejects when its loop breaks, for a process that fetches nothing must not look well. */
function crashOf(worker: EnrichWorker, log: Logger): Promise<never> {
  return new Promise((_, reject) => {
    worker.run().catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      log.error('worker.crashed', { message });
      reject(
        new AppError('WORKER_CRASHED', `The worker's loop broke (${message}); start it again, and report it.`, 1, {
          cause: error,
        }),
      );
    });
  });
}

/** Lets calls in flight finish; after the deadline the rest is left to the ledger. */
async function drain(worker: EnrichWorker, deadlineMs: number, log: Logger): Promise<void> {
  const inTime = await within(
    worker.close().then(() => true),
    deadlineMs,
  );
  if (!inTime) log.warn('worker.drain-timeout', { deadlineMs });
}

async function within<T>(work: Promise<T>, deadlineMs: number): Promise<T | undefined> {
  const done = new AbortController();
  const deadline = sleep(deadlineMs, undefined, { signal: done.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, deadline]);
  } finally {
    done.abort();
  }
}
