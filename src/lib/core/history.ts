/**
 * What is known of the store's past. A store can go back in time: a restart that lost the last writes, a lagging replica
 * promoted, an older copy put back, FLUSHALL. Then nothing is sent before a look through Zoho's list has shown what was sent
 * since the last sign of life.
 */
export interface History {
  /** The server whose data this is, with its replication history; '' where the engine has none or does not tell. */
  readonly server: string;
  /** Store clock, milliseconds, when the store was empty. */
  readonly bornMs: number;
  /** The last worker ended in order, and none has begun since. */
  readonly cleanEnd: boolean;
  /** The look that has to be over before anything is sent; null when none is due. */
  readonly look: HistoryLook | null;
}

export interface HistoryLook {
  readonly sign: Sign;
  /** The server there is now. */
  readonly server: string;
  /** Store clock, milliseconds, when it was found due: no claim was made since. */
  readonly sinceMs: number;
  /** The list is read back to here. */
  readonly backTo: Moment;
  /** Workers that have written back what they know. */
  readonly back: readonly string[];
  /** The second round finds what was on the wire in the first. */
  readonly round: 1 | 2;
  /** What the look has found so far; null before the list was read. */
  readonly progress: LookProgress | null;
}

export interface LookProgress {
  /** Enrichments that nobody owns: so many in all, and asked for so far. */
  readonly orphans: number;
  readonly asked: number;
  /** Store clock, milliseconds, when the first was asked for. */
  readonly sinceMs: number;
}

/** A time on the store's clock and on Zoho's, which alone is sure to go forward; null while nobody has heard Zoho. */
export interface Moment {
  readonly storeMs: number;
  readonly zohoMs: number | null;
}

/**
 * Why a look is due, the weakest first. `start`: a first worker begins, and nothing else is known. `server`: another process
 * or replication history serves the data. `lost`: a worker misses what it wrote.
 */
export type Sign = (typeof SIGNS)[number];
const SIGNS = ['start', 'server', 'lost'] as const;

/** What a heartbeat has shown to a worker. */
export interface Seen {
  readonly history: History;
  readonly server: string;
  /** This worker's number as the store has it, and as the worker remembers it. */
  readonly number: number;
  readonly remembered: number;
  /** The first heartbeat of a worker that finds no other alive. */
  readonly isFirst: boolean;
  /** When the store was empty, as this worker remembers it; null for one that has just begun. */
  readonly bornMs: number | null;
}

/** The sign of loss in what a worker saw; null when there is none. */
export function signOf({ history, server, number, remembered, isFirst, bornMs }: Seen): Sign | null {
  if (number < remembered || (bornMs !== null && bornMs !== history.bornMs)) return 'lost';
  const known = history.look?.server ?? history.server;
  if (server !== '' && known !== '' && server !== known) return 'server';
  // Where no server tells its name, any copy of the data may have been put in place.
  return isFirst && !(history.cleanEnd && server !== '') ? 'start' : null;
}

export function historyBegun(server: string, nowMs: number): History {
  return { server, bornMs: Math.floor(nowMs), cleanEnd: false, look: null };
}

/** The history with a look due; the very object given when the same look is due already. */
export function lookBegun(
  history: History,
  due: Pick<HistoryLook, 'sign' | 'server' | 'backTo'> & { readonly bornMs: number },
  nowMs: number,
): History {
  const { look } = history;
  const { bornMs, ...fresh } = due;
  // The earliest birth that anybody remembers, so that workers who remember different ones come to agree.
  const anew = { ...history, bornMs: Math.min(history.bornMs, bornMs), cleanEnd: false };
  // What is lost during the second round was not looked for in the first.
  if (look === null || look.server !== due.server || look.round === 2 || look.backTo.storeMs > due.backTo.storeMs) {
    const backTo = look === null || look.backTo.storeMs > due.backTo.storeMs ? due.backTo : look.backTo;
    const sign = look === null ? due.sign : stronger(look.sign, due.sign);
    return { ...anew, look: { ...fresh, backTo, sign, sinceMs: nowMs, back: [], round: 1, progress: null } };
  }
  const sign = stronger(look.sign, due.sign);
  return sign === look.sign ? history : { ...anew, look: { ...look, sign } };
}

/** The worker has written back what it knows; the very object given when there is nothing to note. */
export function workerBack(history: History, workerId: string): History {
  const { look } = history;
  if (look === null || look.back.includes(workerId)) return history;
  return { ...history, look: { ...look, back: [...look.back, workerId] } };
}

/** True while it is the same look, whatever was noted of it meanwhile and however strong its sign has become. */
export function isSameLook(history: History | null, look: HistoryLook): boolean {
  const now = history?.look ?? null;
  return now !== null && now.sinceMs === look.sinceMs && now.round === look.round;
}

/** What is known of the look's server from now on, and nothing is due. */
export function lookOver(history: History): History {
  return history.look === null ? history : { ...history, server: history.look.server, look: null };
}

function stronger(one: Sign, other: Sign): Sign {
  return SIGNS.indexOf(one) < SIGNS.indexOf(other) ? other : one;
}
