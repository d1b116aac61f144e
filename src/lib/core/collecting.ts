/**
 * When results are asked for. The list shows a hundred rows a call, so looking at it is cheap when many of them have
 * finished and dear when few have: the walk through it comes more rarely the less it finds. All times are milliseconds on
 * the store's clock.
 */
export interface CollectorState {
  /** Page the walk under way goes on with; null when none is under way. */
  readonly page: number | null;
  /** When the walk under way, or the latest, began, and how many rows were scheduled then. */
  readonly startedAtMs: number;
  readonly scheduled: number;
  /** Calls of that walk that brought no result, and results it brought. */
  readonly idleCalls: number;
  readonly finished: number;
  /** When the latest whole walk ended. */
  readonly lookedAtMs: number;
  /** The wait between walks is the shortest times 2 to the power of this. */
  readonly doublings: number;
  /** Rows that the list did not show are asked for one by one; those scheduled from here on are next. */
  readonly askFromMs: number;
  /** Code of the answer when the account may not read results; null while it may. */
  readonly refused: string | null;
}

/** What the decision to look needs to know. */
export interface PendingRows {
  readonly nowMs: number;
  /** Rows ever scheduled. */
  readonly scheduled: number;
  readonly oldestScheduledAtMs: number;
}

export const INITIAL_COLLECTOR: CollectorState = {
  page: null,
  startedAtMs: 0,
  scheduled: 0,
  idleCalls: 0,
  finished: 0,
  lookedAtMs: 0,
  doublings: 0,
  askFromMs: 0,
  refused: null,
};

/** A call without a result of its own has to bring this many: 0.1 calls a row is all there is to spend. */
const RESULTS_PER_CALL = 12;
/** 30 s grow to 16 minutes. */
const MAX_DOUBLINGS = 5;
/** A long walk in vain is not repeated before it was waited for: a million rows under way are ten thousand pages. */
const WAITS_PER_UNPAID_CALL = 0.2;

/** Whether it is time for the next walk: soon after new rows, else ever more rarely. */
export function isWalkDue(state: CollectorState, rows: PendingRows, shortestMs: number): boolean {
  return rows.nowMs >= walkDueAtMs(state, rows, shortestMs);
}

/** When the next walk is due, as things are now. */
export function walkDueAtMs(state: CollectorState, rows: PendingRows, shortestMs: number): number {
  const grown = Math.max(2 ** state.doublings, unpaidCalls(state) * WAITS_PER_UNPAID_CALL);
  const waitMs = shortestMs * (hasNewRows(state, rows) ? 1 : grown);
  // Times to come are from before the clock was set back.
  const past = [state.lookedAtMs, rows.oldestScheduledAtMs].filter((ms) => ms <= rows.nowMs);
  return Math.max(0, ...past) + waitMs;
}

/** The state in which a walk begins. New rows shorten the wait again, unless a walk is so long that it would not pay. */
export function walkBegun(state: CollectorState, rows: PendingRows): CollectorState {
  const isShort = state.idleCalls <= 2;
  return {
    ...state,
    page: 1,
    startedAtMs: rows.nowMs,
    scheduled: rows.scheduled,
    idleCalls: 0,
    finished: 0,
    doublings: isShort && hasNewRows(state, rows) ? 0 : state.doublings,
  };
}

export function walkEnded(state: CollectorState, nowMs: number): CollectorState {
  return { ...state, page: null, lookedAtMs: nowMs, doublings: doublingsAfter(state) };
}

function hasNewRows(state: CollectorState, { scheduled }: PendingRows): boolean {
  return scheduled - state.scheduled >= Math.max(1, 2 * RESULTS_PER_CALL * (state.idleCalls - 1));
}

function unpaidCalls({ idleCalls, finished }: CollectorState): number {
  return Math.max(0, idleCalls - finished / RESULTS_PER_CALL);
}

function doublingsAfter({ idleCalls, finished, doublings }: CollectorState): number {
  if (finished < RESULTS_PER_CALL * idleCalls) return Math.min(MAX_DOUBLINGS, doublings + 1);
  return finished > 2 * RESULTS_PER_CALL * idleCalls ? Math.max(0, doublings - 1) : doublings;
}
