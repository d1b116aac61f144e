import { CANARY_LEASE_MS } from '../lib/core/canary.js';

/**
 * Every interval, lease, patience and pause of a worker, all in milliseconds. The leases have to fit together so that a row
 * is never sent twice; `timingFor` checks that they do.
 */
export interface Timing {
  /** A claim's POST leaves within this time or not at all. */
  readonly sendWithinMs: number;
  /** A claim older than this is lost: nothing of it can reach Zoho any more. */
  readonly claimLostAfterMs: number;
  /** BullMQ's lock on a job; longer than its claim can live, so that the ledger decides first. */
  readonly lockDurationMs: number;
  /** How often rows of dead workers are looked for. */
  readonly stalledCheckMs: number;
  /** A permit, and a worker's membership, not renewed for so long are free again. */
  readonly permitTtlMs: number;
  /** How often a worker tells that it lives. */
  readonly heartbeatMs: number;
  /** The same while it fetches no rows: how soon it notices that the fleet goes on. */
  readonly waitingHeartbeatMs: number;
  /** How soon the first row in line asks again for a permit that another process may have given back. */
  readonly askAgainMs: number;
  /** A row that cannot be sent just now, for a reason that nobody announces the end of, waits so long. */
  readonly shortWaitMs: number;
  /** An uncertain row's job looks at the ledger this often; a settled look-up wakes it sooner. */
  readonly uncertainRecheckMs: number;
  /** A worker that took the canary is admitted within this time or loses it. */
  readonly canaryLeaseMs: number;

  /** How often queue and ledger are looked at for progress and for the end. */
  readonly watchEveryMs: number;
  /** A heartbeat older than this is late. */
  readonly heartbeatLateMs: number;
  /** The loop that fetches rows comes round more often than this. */
  readonly fetchLateMs: number;
  /** A worker that holds rows and ends none for so long, beyond their wait for the pace, does not send them. */
  readonly rowsLateMs: number;

  /** How often it is looked whether people are to be told of something, and whether a stop has lasted long enough. */
  readonly unattendedEveryMs: number;

  /** How often Zoho is asked what is left of the allowance, while rows are sent and some of it is to be kept. */
  readonly reserveEveryMs: number;

  /** How often the sweep looks for something to do, and at the server behind the store. */
  readonly sweepEveryMs: number;
  readonly serverEveryMs: number;
  /** The one worker that looks at Zoho for all keeps that role for so long without renewing it. */
  readonly leaderLeaseMs: number;
  /** At least this long between two looks at Zoho's list; the pause grows while Zoho cannot be asked. */
  readonly betweenLooksMs: number;
  readonly longestPauseMs: number;
  /** A row is not looked for before Zoho had this long to list it. */
  readonly settlingMs: number;
  /** Two looks that both find nothing are at least this far apart. */
  readonly betweenMissesMs: number;
  /**
   * A row that Zoho does not list is not given up before so long after it was sent: a server may still take a request whose
   * connection was closed.
   */
  readonly lateAcceptMs: number;
  /** Results are asked for by id for so long before the sweep turns to other things. */
  readonly askResultsForMs: number;
}

/** Beyond the time to send and the request timeout: reading clocks, the answer's way through the store. */
const CLAIM_MARGIN_MS = 5_000;
/** Everything after the claim is lost is waiting for a dead worker's row, so no longer than clocks may differ. */
const LOCK_MARGIN_MS = 2_000;
/** A row ends within the life of its claim, or is put back; beyond that, time for a look or two at the store. */
const ROWS_LATE_MARGIN_MS = 20_000;

/** Seen with a stand-in that queued requests for 45 s: it accepted all of them after their time-out of 30 s. */
const LATE_ACCEPT_TIMEOUTS = 4;
const LEAST_LATE_ACCEPT_MS = 60_000;

const DEFAULTS = {
  sendWithinMs: 5_000,
  stalledCheckMs: 2_000,
  // Dead workers free their permits within 10 s: lease, and a heartbeat of those who notice.
  permitTtlMs: 8_000,
  heartbeatMs: 1_000,
  waitingHeartbeatMs: 250,
  askAgainMs: 25,
  shortWaitMs: 1_000,
  uncertainRecheckMs: 30_000,
  canaryLeaseMs: CANARY_LEASE_MS,
  watchEveryMs: 250,
  heartbeatLateMs: 4_000,
  // The loop waits up to 4 s for a row, and 12 s before it gives a silent connection up.
  fetchLateMs: 15_000,
  unattendedEveryMs: 1_000,
  reserveEveryMs: 60_000,
  sweepEveryMs: 1_000,
  serverEveryMs: 250,
  leaderLeaseMs: 15_000,
  betweenLooksMs: 5_000,
  longestPauseMs: 60_000,
  settlingMs: 3_000,
  betweenMissesMs: 5_000,
  askResultsForMs: 3_000,
};

/**
 * The times for a request timeout, those of `changes` instead of the defaults. Throws when they contradict one another, which
 * is a fault of the program.
 */
export function timingFor(requestTimeoutMs: number, changes: Partial<Timing> = {}): Timing {
  const sendWithinMs = changes.sendWithinMs ?? DEFAULTS.sendWithinMs;
  const claimLostAfterMs = changes.claimLostAfterMs ?? sendWithinMs + requestTimeoutMs + CLAIM_MARGIN_MS;
  const timing = {
    ...DEFAULTS,
    claimLostAfterMs,
    lockDurationMs: claimLostAfterMs + LOCK_MARGIN_MS,
    rowsLateMs: claimLostAfterMs + ROWS_LATE_MARGIN_MS,
    lateAcceptMs: Math.max(LATE_ACCEPT_TIMEOUTS * requestTimeoutMs, LEAST_LATE_ACCEPT_MS),
    ...changes,
  };
  const contradiction = contradictionIn(timing, requestTimeoutMs);
  if (contradiction !== undefined) throw new Error(`The worker's times contradict one another: ${contradiction}.`);
  return timing;
}

/** What is wrong with these times; undefined when nothing is. */
export function contradictionIn(timing: Timing, requestTimeoutMs: number): string | undefined {
  const { sendWithinMs, claimLostAfterMs, lockDurationMs, stalledCheckMs, permitTtlMs, heartbeatMs } = timing;
  if (!(claimLostAfterMs > sendWithinMs + requestTimeoutMs)) {
    return 'a claim would be taken for lost while its request may still be under way';
  }
  if (!(lockDurationMs > claimLostAfterMs)) return "BullMQ's lock would end before the claim it protects";
  // BullMQ renews a lock after half its time at the latest.
  if (!(lockDurationMs / 2 > heartbeatMs))
    return "BullMQ's lock would be renewed more often than a worker tells it is alive";
  if (!(permitTtlMs >= 3 * heartbeatMs)) return 'a permit would end when two heartbeats are late';
  if (!(permitTtlMs + heartbeatMs < 10_000)) return 'dead workers would keep their permits for longer than 10 s';
  if (!(stalledCheckMs < lockDurationMs))
    return 'rows of dead workers would be looked for more rarely than they can be lost';
  if (!(timing.lateAcceptMs > requestTimeoutMs)) return 'a row would be given up while its request may be under way';
  if (!(timing.heartbeatLateMs > heartbeatMs)) return 'every heartbeat would be late';
  if (!(timing.rowsLateMs > claimLostAfterMs)) return 'a row under way would be called stuck';
  return undefined;
}
