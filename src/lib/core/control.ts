/**
 * The fleet's control state: one small document that every admission reads and only the pure
 * functions in this file change. All times are milliseconds on the store's clock.
 */
export interface Control {
  /** Counts stops and resumes. Every answer carries the epoch of its admit; a late error of an older epoch changes nothing. */
  readonly epoch: number;
  readonly mode: 'running' | 'stopped' | 'probing';
  /** Why the fleet stands still (mode `stopped`), or stood still before this probe. */
  readonly stop: StopReason | null;
  /** The single row let through in mode `probing`. */
  readonly probe: Probe | null;
  /** Nothing is sent before this time (throttling, outage); 0 when nothing holds the fleet. */
  readonly holdUntilMs: number;
  readonly holdReason: 'throttled' | 'outage' | null;
  /** Calls allowed in flight while throttled, below the configured number; null when not lowered. */
  readonly maxInFlight: number | null;
  /** Answers in a row without a success between: connection failures, unknown 4xx codes, unreadable 2xx, throttles. */
  readonly streaks: Streaks;
}

export interface StopReason {
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
  /** Identity key of the row whose answer raised the stop; null for PAUSED. */
  readonly key: string | null;
  readonly line: number | null;
}

export interface Probe {
  readonly cause: 'resume' | 'outage';
  /** Null until a worker takes the probe. */
  readonly key: string | null;
  /** Call id of the claim; the probe ends with its worker, when this call's place in flight is gone. */
  readonly callId: string | null;
  /** A worker that took the probe must be admitted before this time. */
  readonly leaseUntilMs: number;
  /** How often the probe was passed on. */
  readonly passes: number;
}

export interface Streaks {
  readonly outage: number;
  readonly unknown: number;
  readonly unreadable: number;
  readonly throttled: number;
}
