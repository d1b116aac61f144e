/** The times that have to fit together so that a row is never sent twice. All in milliseconds. */
export interface Timing {
  /** A claim older than this is lost: nothing of it can reach Zoho any more. */
  readonly claimLostAfterMs: number;
  /** BullMQ's lock on a job; longer than its claim can live, so that the ledger decides first. */
  readonly lockDurationMs: number;
  /** How often rows of dead workers are looked for. */
  readonly stalledCheckMs: number;
  /** A place in flight, and a worker's membership, not renewed for so long are free again. */
  readonly placeLeaseMs: number;
  readonly heartbeatMs: number;
  /** A worker that holds rows and ends none for so long, beyond their wait for the pace, does not send them. */
  readonly rowsLateMs: number;
}

/** A claim's POST leaves within this time or not at all. */
export const SEND_WITHIN_MS = 5_000;
/** Beyond the time to send and the request timeout: reading clocks, the answer's way through the store. */
const CLAIM_MARGIN_MS = 5_000;
/** Everything after the claim is lost is waiting for a dead worker's row, so no longer than clocks may differ. */
const LOCK_MARGIN_MS = 2_000;
const STALLED_CHECK_MS = 2_000;
/** Dead workers free their places within 10 s: lease, and a heartbeat of those who notice. */
const PLACE_LEASE_MS = 8_000;
/** A row ends within the life of its claim, or is put back; beyond that, time for a look or two at the store. */
const ROWS_LATE_MARGIN_MS = 20_000;
/** How often a worker tells that it lives. */
export const HEARTBEAT_MS = 1_000;

/** The times for a request timeout; throws when they contradict one another, which is a fault of the program. */
export function timingFor(requestTimeoutMs: number): Timing {
  const claimLostAfterMs = SEND_WITHIN_MS + requestTimeoutMs + CLAIM_MARGIN_MS;
  const timing = {
    claimLostAfterMs,
    lockDurationMs: claimLostAfterMs + LOCK_MARGIN_MS,
    stalledCheckMs: STALLED_CHECK_MS,
    placeLeaseMs: PLACE_LEASE_MS,
    heartbeatMs: HEARTBEAT_MS,
    rowsLateMs: claimLostAfterMs + ROWS_LATE_MARGIN_MS,
  };
  const contradiction = contradictionIn(timing, requestTimeoutMs);
  if (contradiction !== undefined) throw new Error(`The worker's times contradict one another: ${contradiction}.`);
  return timing;
}

/** What is wrong with these times; undefined when nothing is. */
export function contradictionIn(timing: Timing, requestTimeoutMs: number): string | undefined {
  const { claimLostAfterMs, lockDurationMs, stalledCheckMs, placeLeaseMs, heartbeatMs } = timing;
  if (!(claimLostAfterMs > SEND_WITHIN_MS + requestTimeoutMs)) {
    return 'a claim would be taken for lost while its request may still be under way';
  }
  if (!(lockDurationMs > claimLostAfterMs)) return "BullMQ's lock would end before the claim it protects";
  // BullMQ renews a lock after half its time at the latest.
  if (!(lockDurationMs / 2 > heartbeatMs))
    return "BullMQ's lock would be renewed more often than a worker tells it is alive";
  if (!(placeLeaseMs >= 3 * heartbeatMs)) return 'a place in flight would end when two heartbeats are late';
  if (!(placeLeaseMs + heartbeatMs < 10_000)) return 'dead workers would keep their places for longer than 10 s';
  if (!(stalledCheckMs < lockDurationMs))
    return 'rows of dead workers would be looked for more rarely than they can be lost';
  return undefined;
}
