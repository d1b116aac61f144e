import { randomUUID } from 'node:crypto';
import { identityKey } from '../../src/lib/core/identity.js';
import type { IdentityKey } from '../../src/lib/core/ids.js';
import type { Row } from '../../src/lib/core/row.js';
import type { TokenState } from '../../src/lib/core/token-lease.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import type { Logger } from '../../src/lib/logger.js';
import { type EnrichQueue, JOB_NAME, jobOptions } from '../../src/lib/queues.js';
import { createAccountReads } from '../../src/lib/zoho/account-reads.js';
import { askAllowance } from '../../src/lib/zoho/allowance.js';
import { openZoho } from '../../src/lib/zoho/open-zoho.js';
import type { Sandbox } from '../../src/sandbox/server.js';
import { type RunWorkerOptions, runWorker, type WorkerSettings } from '../../src/workers/run-worker.js';
import { type Timing, timingFor } from '../../src/workers/timing.js';
import type { WorkerReport } from '../../src/workers/watch-queue.js';
import { quietLog } from './engines.js';

export const TEST_SETTINGS: WorkerSettings = {
  ratePerSecond: 500,
  maxInFlight: 10,
  concurrency: 10,
  backoffBaseMs: 50,
  backoffCapMs: 400,
  requestTimeoutMs: 3_000, // a busy machine answers late, most of all with a database in this process
  onUncertain: 'resend',
  resultPollMs: 30_000,
  resultMaxAgeHours: 72,
  shutdownDeadlineMs: 5_000,
};

/**
 * The pauses of a worker at a tenth, its leases as short as a busy machine still keeps them. Those that a test is about it
 * passes itself.
 */
export function quickTiming(requestTimeoutMs: number, changes: Partial<Timing> = {}): Timing {
  const sendWithinMs = 4_000;
  return timingFor(requestTimeoutMs, {
    sendWithinMs,
    claimLostAfterMs: sendWithinMs + requestTimeoutMs + 1_500,
    lockDurationMs: sendWithinMs + requestTimeoutMs + 2_500,
    stalledCheckMs: 500,
    permitTtlMs: 6_000,
    heartbeatMs: 300,
    waitingHeartbeatMs: 50,
    shortWaitMs: 100,
    canaryLeaseMs: 4_000,
    watchEveryMs: 150,
    sweepEveryMs: 200,
    serverEveryMs: 50,
    leaderLeaseMs: 8_000,
    betweenLooksMs: 500,
    settlingMs: 300,
    betweenMissesMs: 500,
    lateAcceptMs: requestTimeoutMs + 1_500,
    ...changes,
  });
}

export interface TestWorkerOptions {
  readonly engine: Engine;
  readonly sandbox: Pick<Sandbox, 'url'>;
  readonly settings?: Partial<WorkerSettings>;
  /** Default `quickTiming`, as it is or with these changes. */
  readonly timing?: Partial<Timing>;
  readonly untilIdle?: boolean;
  readonly waitForResults?: boolean;
  readonly log?: Logger;
  /** Where the API is, when it is not the sandbox itself. */
  readonly apiDomain?: string;
  readonly refreshToken?: string;
  readonly onReadiness?: RunWorkerOptions['onReadiness'];
  /** So much of the allowance is kept back. */
  readonly keep?: number;
}

export interface TestWorker {
  /** Ends it as SIGTERM would. */
  end(): void;
  readonly ended: Promise<WorkerReport>;
}

/** A worker in this process, on the sandbox's account. */
export function startWorker(options: TestWorkerOptions): TestWorker {
  const { engine, sandbox, log = quietLog, untilIdle = true, waitForResults = false } = options;
  const stop = new AbortController();
  const settings = { ...TEST_SETTINGS, ...options.settings };
  const opened = openZoho(
    {
      clientId: 'sandbox',
      clientSecret: 'sandbox',
      refreshToken: options.refreshToken ?? 'sandbox',
      dc: 'us',
      accountsUrl: sandbox.url,
      apiDomain: options.apiDomain ?? sandbox.url,
      apiVersion: 'v7',
    },
    { requestTimeoutMs: settings.requestTimeoutMs, userAgent: 'test' },
    { document: engine.store.document<TokenState>('token'), log },
  );
  const { zoho, tokens, close } = opened;
  const reads = createAccountReads({
    zoho: opened,
    store: engine.store,
    limits: {
      callsPerSecond: settings.ratePerSecond,
      maxInFlight: settings.maxInFlight,
      permitTtlMs: 6_000,
    },
    callerId: `ask-${randomUUID()}`,
    patienceMs: 10_000,
  });
  const ended = runWorker({
    ...(options.keep !== undefined && { reserve: { keep: options.keep, ask: () => askAllowance(reads) } }),
    engine,
    zoho,
    tokens,
    settings,
    timing: quickTiming(settings.requestTimeoutMs, options.timing),
    log,
    untilIdle,
    waitForResults,
    stopSignal: stop.signal,
    ...(options.onReadiness && { onReadiness: options.onReadiness }),
  }).finally(close);
  return { end: () => stop.abort(), ended };
}

/** Queues rows as the producer does; returns their keys, in order. */
export async function queueRows(queue: EnrichQueue, rows: readonly Row[]): Promise<readonly IdentityKey[]> {
  const keys = rows.map(identityKey);
  await queue.addBulk(
    rows.map((row, index) => {
      // One key for each row, by the line above.
      const key = keys[index] as IdentityKey;
      return { name: JOB_NAME, data: { v: 1 as const, line: index + 2, ...row }, opts: jobOptions(key, 5) };
    }),
  );
  return keys;
}

/** Good rows, each unlike the others. */
export function goodRows(count: number, prefix = 'Company'): readonly Row[] {
  return Array.from({ length: count }, (_, index) => ({
    module: 'Accounts',
    name: `${prefix} ${index + 1}`,
    email: `info@${prefix.toLowerCase()}-${index + 1}.example`,
    website: `www.${prefix.toLowerCase()}-${index + 1}.example`,
  }));
}
