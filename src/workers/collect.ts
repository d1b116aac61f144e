import { type CollectorState, INITIAL_COLLECTOR, isWalkDue, walkBegun, walkEnded } from '../lib/core/collecting.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import { endOf } from '../lib/core/results.js';
import type { Logger } from '../lib/logger.js';
import type { Document, LedgerCounts, Store } from '../lib/store/store.js';
import type { ListedEnrichment } from '../lib/zoho/shapes.js';
import {
  createResultFetcher,
  type ReadFailure,
  type ResultFetcher,
  type ResultFetcherDeps,
  type ResultSettings,
  type ScheduledRow,
} from './fetch-results.js';
import type { ZohoReads } from './zoho-reads.js';

export interface CollectSettings extends ResultSettings {
  /** The shortest wait between two walks through Zoho's list; grows while they find little. */
  readonly resultPollMs: number;
}

export interface CollectorDeps extends ResultFetcherDeps {
  readonly settings: CollectSettings;
}

/** In-memory state of one walk; lost when another worker leads. */
interface Walk {
  /** Rows found unfinished; null when another worker began this walk. */
  readonly seen: Set<IdentityKey> | null;
  /** Rows to ask for by id before the walk goes on. */
  todo: ScheduledRow[];
  /** Pages in a row without a pending row. */
  pagesWithoutPending: number;
  /** The last page was read. */
  isListed: boolean;
  /** The first id of the last page: a list that shows it again has no end. */
  firstId: string | null;
  /** All rows that the list did not show are in `todo`, or were asked for. */
  isAsked: boolean;
  misses: number;
}

/** Pages without a pending row after which the list is left: rows further back are asked for one by one. */
const MAX_PAGES_WITHOUT_PENDING = 5;
/** Rows asked for one by one and found unfinished, in one walk. */
const MISSES_A_WALK = 20;
const ROWS_AT_ONCE = 200;
/** A row is listed before its answer has reached the ledger, and list times have whole seconds. */
const TOLERANCE_MS = 10_000;

/**
 * Brings the results of submitted rows home. A walk goes through Zoho's list, newest first, back to the oldest row that
 * still lacks its result, and asks by id for each row with data; rows that the list does not show are asked for by id as
 * well, oldest first. A crash at any point costs a repeated question and nothing else.
 */
export class Collector {
  readonly #reads: ZohoReads;
  readonly #settings: CollectSettings;
  readonly #log: Logger;
  readonly #store: Store;
  readonly #document: Document<CollectorState>;
  readonly #fetcher: ResultFetcher;
  #walk: Walk | null = null;

  constructor(deps: CollectorDeps) {
    this.#reads = deps.reads;
    this.#settings = deps.settings;
    this.#log = deps.log;
    this.#store = deps.engine.store;
    this.#document = this.#store.document('collector');
    this.#fetcher = createResultFetcher(deps);
  }

  /**
   * A few seconds of work, so that the sweep can turn to other things in between. `more`: go on at once; `rest`: nothing
   * is due; `unavailable`: Zoho could not be asked, try again later.
   */
  async step(ledger: LedgerCounts): Promise<'more' | 'rest' | 'unavailable'> {
    const { value, nowMs } = await this.#document.read();
    const state = value ?? INITIAL_COLLECTOR;
    const [oldest] = (await this.#store.pending({ limit: 1 })).values();
    if (oldest === undefined) {
      if (state.page !== null) await this.#save(walkEnded(state, nowMs));
      this.#walk = null;
      return 'rest';
    }
    if (state.page === null) {
      const rows = { nowMs, scheduled: ledger.scheduled, oldestScheduledAtMs: scheduledAt(oldest) };
      if (!isWalkDue(state, rows, this.#settings.resultPollMs)) return 'rest';
      this.#walk = newWalk(new Set());
      await this.#save(walkBegun(state, rows));
      return 'more';
    }
    this.#walk ??= newWalk(null);
    const next =
      this.#walk.todo.length > 0
        ? await this.#ask(state, this.#walk)
        : await this.#goOn(state, this.#walk, oldest.sentAtMs);
    if ('kind' in next) return this.#fail(state, next, nowMs);
    await this.#save(next);
    if (next.page !== null) return 'more';
    this.#walk = null;
    this.#log.info('results.collected', { rows: next.finished, calls: next.idleCalls });
    return 'rest';
  }

  /** Another worker leads: what was seen so far is old. */
  forget(): void {
    this.#walk = null;
  }

  async #goOn(state: CollectorState, at: Walk, oldestMs: number): Promise<CollectorState | ReadFailure> {
    if (!at.isListed) return this.#readPage(state, at, oldestMs);
    if (!at.isAsked) return this.#queueUnseen(state, at);
    return walkEnded(state, (await this.#document.read()).nowMs);
  }

  async #readPage(state: CollectorState, at: Walk, oldestMs: number): Promise<CollectorState | ReadFailure> {
    const read = await this.#reads.list(state.page ?? 1);
    if (read.kind !== 'read') {
      if (read.code !== 'UNREADABLE') return read;
      this.#log.warn('results.list-unreadable', { page: state.page });
      at.isListed = true;
      return { ...state, idleCalls: state.idleCalls + 1 };
    }
    const { nowMs } = await this.#document.read();
    const finished = await this.#sort(read.value.items, at, nowMs);
    const offsetMs = read.zohoNowMs === null ? 0 : nowMs - read.zohoNowMs;
    const backToMs = Math.min(...read.value.items.map(({ createdAtMs }) => (createdAtMs ?? nowMs) + offsetMs));
    const firstId = read.value.items[0]?.id ?? null;
    const isRepeated = firstId === at.firstId;
    at.firstId = firstId;
    at.isListed =
      isRepeated ||
      !read.value.moreRecords ||
      backToMs < oldestMs - TOLERANCE_MS ||
      at.pagesWithoutPending >= MAX_PAGES_WITHOUT_PENDING;
    const counted = { ...state, idleCalls: state.idleCalls + 1, finished: state.finished + finished, refused: null };
    return passed(counted, at);
  }

  /** Sees to the rows of one page; those with data are queued. Returns how many needed no more than the list. */
  async #sort(items: readonly ListedEnrichment[], at: Walk, nowMs: number): Promise<number> {
    const owners = await this.#store.owners(items.map(({ id }) => id));
    const entries = await this.#store.entries([...owners.values()]);
    let finished = 0;
    at.pagesWithoutPending += 1;
    for (const { id, status } of items) {
      const key = owners.get(id);
      const entry = key === undefined ? undefined : entries.get(key);
      if (key === undefined || entry?.enrichmentId !== id || hasEnded(entry)) continue;
      if (entry.finalStatus === undefined) at.pagesWithoutPending = 0;
      const row = { key, id, entry };
      const end = endOf(status);
      if (end === null) {
        at.seen?.add(key);
        await this.#fetcher.unfinished(row, nowMs);
      } else if (end === 'COMPLETED') at.todo.push(row);
      else {
        await this.#fetcher.finish(row, end);
        finished += 1;
      }
    }
    return finished;
  }

  /** Rows that the list did not show: too far back, or no longer listed. */
  async #queueUnseen(state: CollectorState, at: Walk): Promise<CollectorState> {
    const { seen } = at;
    at.isAsked = true;
    // Half a walk does not tell which rows are missing from the list.
    if (seen === null) return state;
    const rows = [...(await this.#store.pending({ sinceMs: state.askFromMs, limit: ROWS_AT_ONCE }))];
    at.todo = rows.flatMap(([key, entry]) =>
      entry.enrichmentId === undefined || seen.has(key) || scheduledAt(entry) >= state.startedAtMs
        ? []
        : [{ key, id: entry.enrichmentId, entry }],
    );
    if (rows.length < ROWS_AT_ONCE) return { ...state, askFromMs: 0 };
    at.isAsked = false;
    const lastMs = Math.max(...rows.map(([, entry]) => scheduledAt(entry)));
    return { ...state, askFromMs: Math.max(lastMs, state.askFromMs + 1) };
  }

  async #ask(state: CollectorState, at: Walk): Promise<CollectorState | ReadFailure> {
    const taken = await this.#fetcher.ask(at.todo, MISSES_A_WALK - at.misses);
    if (taken.failure !== null) return taken.failure;
    at.misses += taken.unfinished;
    const counted = {
      ...state,
      idleCalls: state.idleCalls + taken.unfinished,
      finished: state.finished + taken.finished,
      refused: null,
    };
    return at.misses < MISSES_A_WALK ? passed(counted, at) : this.#gaveUp(counted, at);
  }

  /** Enough was asked in vain: the next walk goes on with the first row that was not asked for. */
  #gaveUp(state: CollectorState, at: Walk): CollectorState {
    const [next] = at.todo;
    if (!at.isListed || next === undefined) return passed(state, at);
    at.todo = [];
    at.isAsked = true;
    return { ...state, askFromMs: scheduledAt(next.entry) };
  }

  async #fail(state: CollectorState, failure: ReadFailure, nowMs: number): Promise<'rest' | 'unavailable'> {
    if (failure.kind === 'unavailable') return 'unavailable';
    this.#walk = null;
    await this.#save({ ...walkEnded(state, nowMs), refused: failure.code });
    if (state.refused !== failure.code) this.#log.warn('results.refused', { code: failure.code });
    return 'rest';
  }

  async #save(state: CollectorState): Promise<void> {
    await this.#document.change(() => state);
  }
}

function newWalk(seen: Walk['seen']): Walk {
  return { seen, todo: [], pagesWithoutPending: 0, isListed: false, firstId: null, isAsked: false, misses: 0 };
}

/** Only a page whose rows were all asked for is passed: another worker may have to go on from here. */
function passed(state: CollectorState, { todo, isListed }: Walk): CollectorState {
  return todo.length > 0 || isListed ? state : { ...state, page: (state.page ?? 0) + 1 };
}

function hasEnded({ state, finalStatus }: LedgerEntry): boolean {
  return state !== 'scheduled' || (finalStatus !== undefined && finalStatus !== 'UNFINISHED');
}

function scheduledAt({ scheduledAtMs, sentAtMs }: LedgerEntry): number {
  return scheduledAtMs ?? sentAtMs;
}
