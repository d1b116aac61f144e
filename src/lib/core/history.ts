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
export type Sign = 'start' | 'server' | 'lost';
