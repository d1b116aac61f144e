import type { StopReason } from '../lib/core/control.js';
import type { FleetControl } from './fleet-control.js';
import type { Heartbeat } from './heartbeat.js';
import type { Timing } from './timing.js';

/** Why a worker cannot take rows just now. */
export type Unready =
  | {
      readonly code: 'STARTING' | 'ENDING' | 'ENGINE_AWAY' | 'SERVER_CHANGED' | 'FETCH_LOOP_STUCK' | 'ROWS_STUCK';
      readonly message: string;
    }
  | { readonly code: 'STOPPED'; readonly message: string; readonly stop: StopReason | null };

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reasons: readonly Unready[] };

/** What a worker knows of itself; times in milliseconds ago, null for never. */
export interface WorkerHealth {
  readonly phase: 'starting' | 'running' | 'ending';
  /** Since the store last answered a heartbeat. */
  readonly heartbeatAgoMs: number | null;
  /** Why the latest heartbeat was not answered; null when it was. */
  readonly heartbeatFailure: string | null;
  /** Since the loop that fetches rows last came round. */
  readonly fetchAgoMs: number | null;
  /** What the engine said when it was last asked for a row and refused; null when it did not. */
  readonly refusal: string | null;
  /** The worker is meant to fetch: neither stopped nor standing by, and a place for a row is free. */
  readonly shouldFetch: boolean;
  /** Since a row was last begun with none in work, or came to an end; null while none is in work or none may be sent. */
  readonly rowEndedAgoMs: number | null;
  /** Since when each of these is late. */
  readonly late: Pick<Timing, 'heartbeatLateMs' | 'fetchLateMs' | 'rowsLateMs'>;
  readonly serverChanged: boolean;
  /** Undefined when the fleet is not stopped. */
  readonly stop: StopReason | null | undefined;
}

const NO_ANSWER = 'The engine does not answer; the worker goes on when it is back.';

/** The truth about a worker, all reasons at once. */
export function readinessOf(signs: WorkerHealth): Readiness {
  const reasons: Unready[] = [];
  if (signs.phase === 'starting') reasons.push({ code: 'STARTING', message: 'The worker is starting.' });
  if (signs.phase === 'ending') reasons.push({ code: 'ENDING', message: 'The worker finishes its rows and ends.' });
  const isLate = (signs.heartbeatAgoMs ?? Number.POSITIVE_INFINITY) > signs.late.heartbeatLateMs;
  if (signs.phase === 'running' && (signs.refusal !== null || isLate)) {
    reasons.push({ code: 'ENGINE_AWAY', message: signs.refusal ?? signs.heartbeatFailure ?? NO_ANSWER });
  }
  if (signs.serverChanged) {
    const message = 'Redis restarted or failed over; nothing is sent before the look at what Zoho has.';
    reasons.push({ code: 'SERVER_CHANGED', message });
  }
  if (signs.stop !== undefined) {
    reasons.push({ code: 'STOPPED', message: signs.stop?.message ?? 'The queue is stopped.', stop: signs.stop });
  }
  if (
    signs.phase === 'running' &&
    signs.shouldFetch &&
    signs.refusal === null &&
    (signs.fetchAgoMs ?? Number.POSITIVE_INFINITY) > signs.late.fetchLateMs
  ) {
    reasons.push({ code: 'FETCH_LOOP_STUCK', message: 'The worker fetches no rows although it should; restart it.' });
  }
  if (signs.phase === 'running' && signs.rowEndedAgoMs !== null && signs.rowEndedAgoMs > signs.late.rowsLateMs) {
    const seconds = Math.round(signs.rowEndedAgoMs / 1_000);
    const message = `The worker holds rows and has finished none for ${seconds} s although the fleet runs; restart it.`;
    reasons.push({ code: 'ROWS_STUCK', message });
  }
  return reasons.length === 0 ? { ready: true } : { ready: false, reasons };
}

/** What a worker notes of itself while it runs. */
export interface ReadinessTracker {
  enter(phase: WorkerHealth['phase']): void;
  /** The loop that fetches rows has come round, or the engine refused it. */
  fetched(refusal?: Error): void;
  /** Whether the worker is meant to fetch has changed. */
  moved(): void;
  /** Counts a row in work as a place taken. */
  during<T>(work: () => Promise<T>): Promise<T>;
  readonly readiness: () => Readiness;
}

export interface ReadinessSettings {
  readonly concurrency: number;
  readonly ratePerSecond: number;
  readonly timing: Timing;
}

export function createReadinessTracker(
  control: Pick<FleetControl, 'current'>,
  heartbeat: Pick<Heartbeat, 'looking' | 'mayFetch' | 'workers' | 'answeredAgoMs' | 'failure'>,
  { concurrency, ratePerSecond, timing }: ReadinessSettings,
): ReadinessTracker {
  let phase: WorkerHealth['phase'] = 'starting';
  let rows = 0;
  /** Since then one of the rows in work owes an end. */
  let rowOwedSince = performance.now();
  /** Since then the loop owes a sign. */
  let owedSince = performance.now();
  let refusal: string | null = null;
  const moved = () => {
    owedSince = performance.now();
  };
  return {
    enter: (next) => {
      phase = next;
      moved();
    },
    fetched: (refused) => {
      refusal = refused?.message ?? null;
      moved();
    },
    moved: () => {
      rowOwedSince = performance.now();
      moved();
    },
    during: async (work) => {
      if (rows === 0) rowOwedSince = performance.now();
      rows += 1;
      try {
        return await work();
      } finally {
        rows -= 1;
        rowOwedSince = performance.now();
        moved();
      }
    },
    readiness: () =>
      readinessOf({
        phase,
        heartbeatAgoMs: heartbeat.answeredAgoMs(),
        heartbeatFailure: heartbeat.failure,
        fetchAgoMs: performance.now() - owedSince,
        refusal,
        shouldFetch: heartbeat.mayFetch && rows < concurrency,
        rowEndedAgoMs: heartbeat.mayFetch && rows > 0 ? performance.now() - rowOwedSince : null,
        late: {
          ...timing,
          // Every row that the fleet holds may have its slot before one of this worker's.
          rowsLateMs: timing.rowsLateMs + (1_000 / ratePerSecond) * concurrency * Math.max(1, heartbeat.workers.length),
        },
        serverChanged: heartbeat.looking,
        stop: control.current.mode === 'stopped' ? control.current.stop : undefined,
      }),
  };
}
