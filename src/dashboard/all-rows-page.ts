import { html } from 'hono/html';
import { parseFailure } from '../lib/core/failure.js';
import { formatCount } from '../lib/core/format.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { Engine } from '../lib/engine/engine.js';
import type { EnrichJob, EnrichQueue } from '../lib/queues.js';
import type { LedgerIndex } from '../lib/store/store.js';
import { type RowRecord, rowRecords } from '../reports/row-record.js';
import type { Frame } from './frame.js';
import { page } from './layout.js';
import { type Html, time } from './markup.js';
import type { OverviewState } from './monitor.js';
import { ROWS_PATH } from './paths.js';
import { failedJobs } from './problems.js';
import { companyOf } from './row-words.js';
import { pager, ROWS_PER_PAGE, resultOf, SHOWN_RESULT_HEADS, searchForm, statusChip } from './rows-page.js';

/** What all rows can be filtered by: an index of the ledger, or a list of the queue. */
export const ROW_FILTERS = {
  enriched: 'Enriched',
  notfound: 'No data found',
  pending: 'Sent, waiting for result',
  waiting: 'Waiting',
  failed: 'Failed',
  uncertain: 'Checking with Zoho',
  held: 'Needs your decision',
  sending: 'Sending now',
} as const;
export type RowFilter = keyof typeof ROW_FILTERS;

export interface AllRowsQuery {
  readonly filter: RowFilter;
  readonly code: string | null;
  readonly search: string;
  /** Where a search goes on; null at its start. */
  readonly after: string | null;
  readonly page: number;
}

export function parseAllRowsQuery(query: Readonly<Record<string, string>>): AllRowsQuery {
  const wanted = Number(query.page ?? 1);
  return {
    filter: Object.hasOwn(ROW_FILTERS, query.filter ?? '') ? (query.filter as RowFilter) : 'enriched', // just tested
    code: query.code || null,
    search: (query.search ?? '').trim().slice(0, 200),
    after: query.after || null,
    page: Number.isSafeInteger(wanted) && wanted > 0 ? Math.min(wanted, 100_000) : 1,
  };
}

export interface FoundRows {
  readonly records: readonly RowRecord[];
  /** Null while not known. */
  readonly total: number | null;
  /** Where the search goes on; null at its end. */
  readonly next: string | null;
}

/** One page of all rows. Its cost does not grow with their number. */
export async function findAllRows(engine: Engine, queue: EnrichQueue, query: AllRowsQuery): Promise<FoundRows> {
  if (query.search !== '') return search(engine, queue, query);
  const offset = (query.page - 1) * ROWS_PER_PAGE;
  const { keys, total } =
    query.filter === 'waiting'
      ? await waitingKeys(engine, queue, offset)
      : query.filter === 'failed'
        ? await failedKeys(engine, queue, query.code, offset)
        : await ledgerKeys(engine, query.filter, offset);
  return { records: await rowRecords(engine, queue, keys), total, next: null };
}

interface KeyPage {
  readonly keys: readonly IdentityKey[];
  readonly total: number;
}

async function ledgerKeys({ store }: Engine, index: LedgerIndex, offset: number): Promise<KeyPage> {
  const { total, entries } = await store.list(index, { offset, limit: ROWS_PER_PAGE });
  return { total, keys: [...entries.keys()] };
}

const keyOf = ({ id }: EnrichJob) => id as IdentityKey; // job ids of this program are identity keys

/** Rows on their way first, then those that wait in turn. */
async function waitingKeys(engine: Engine, queue: EnrichQueue, offset: number): Promise<KeyPage> {
  const { waiting, active, delayed } = await engine.counts();
  const lists = [
    { types: ['active'] as const, size: active },
    { types: ['delayed'] as const, size: delayed },
    { types: ['waiting', 'prioritized'] as const, size: waiting },
  ];
  const keys: IdentityKey[] = [];
  let skip = offset;
  for (const { types, size } of lists) {
    const wanted = ROWS_PER_PAGE - keys.length;
    if (wanted > 0 && skip < size) {
      const jobs = await queue.getJobs([...types], skip, skip + wanted - 1, true);
      keys.push(...jobs.filter(Boolean).map(keyOf));
    }
    skip = Math.max(0, skip - size);
  }
  return { total: waiting + active + delayed, keys: keys.slice(0, ROWS_PER_PAGE) };
}

/** Jobs that failed, then rows that Zoho took and then failed. */
async function failedKeys(engine: Engine, queue: EnrichQueue, code: string | null, offset: number): Promise<KeyPage> {
  const jobs = (await failedJobs(queue)).filter(
    ({ failedReason }) => code === null || parseFailure(failedReason ?? '').code === code,
  );
  const own = jobs.slice(offset, offset + ROWS_PER_PAGE).map(keyOf);
  if (code !== null && code !== 'ENRICHMENT_FAILED') return { total: jobs.length, keys: own };
  const { total, entries } = await engine.store.list('failed', {
    offset: Math.max(0, offset - jobs.length),
    limit: ROWS_PER_PAGE - own.length,
  });
  return { total: jobs.length + total, keys: [...own, ...entries.keys()].slice(0, ROWS_PER_PAGE) };
}

/** Entries looked through in one step, and how long a page may take: the rest is a link. */
const SEARCH_STEP = 2_500;
const SEARCH_MS = 150;

async function search(engine: Engine, queue: EnrichQueue, { search: text, after }: AllRowsQuery): Promise<FoundRows> {
  const startedAtMs = performance.now();
  const keys = new Set<IdentityKey>();
  let cursor = after;
  do {
    const found = await engine.store.search(text, cursor, SEARCH_STEP);
    for (const key of found.entries.keys()) keys.add(key);
    cursor = found.cursor;
  } while (cursor !== null && keys.size < ROWS_PER_PAGE && performance.now() - startedAtMs < SEARCH_MS);
  return { records: await rowRecords(engine, queue, [...keys]), total: null, next: cursor };
}

export function allRowsPage(frame: Frame, overview: OverviewState, query: AllRowsQuery, found: FoundRows): Html {
  return page(
    { title: 'All rows', current: 'rows', scripts: ['app.js'] },
    frame,
    overview,
    html`<h1>All rows</h1>
    <p class="quiet">Companies of all files. Rows that still wait are also in the table of <a href="/files">their file</a>, which can be searched as well.</p>
    ${filters(query)}
    ${searchForm(ROWS_PATH, query.search, [])}
    ${query.code === null ? '' : html`<p>Only rows with the code ${query.code}. <a href="${ROWS_PATH}?filter=${query.filter}">Show all</a></p>`}
    <p class="quiet" role="status">${foundWords(query, found)}</p>
    ${found.records.length === 0 ? '' : table(found.records)}
    ${found.next === null ? '' : html`<p><a class="button" href="${ROWS_PATH}?${new URLSearchParams({ search: query.search, after: found.next }).toString()}">Search further</a></p>`}
    ${found.total === null ? '' : pager(found.total, query.page, (to) => addressOf({ ...query, page: to }))}`,
  );
}

function foundWords({ search: text }: AllRowsQuery, { records, total, next }: FoundRows): string {
  if (total !== null) return total === 1 ? '1 row' : `${formatCount(total)} rows`;
  const rows = records.length === 1 ? '1 row' : `${formatCount(records.length)} rows`;
  return `${rows} with “${text}”${next === null ? '' : ' so far'}`;
}

function filters(query: AllRowsQuery): Html {
  const chip = (filter: RowFilter) =>
    html`<a class="chip" href="${ROWS_PATH}?filter=${filter}" ${query.search === '' && query.filter === filter ? html`aria-current="true"` : ''}>${ROW_FILTERS[filter]}</a>`;
  return html`<nav class="chips" aria-label="Filter by outcome">${Object.keys(ROW_FILTERS).map((filter) => chip(filter as RowFilter))}</nav>`; // its own keys
}

function addressOf({ filter, code, page: at }: AllRowsQuery): string {
  const query = new URLSearchParams({ filter });
  if (code !== null) query.set('code', code);
  if (at > 1) query.set('page', String(at));
  return `${ROWS_PATH}?${query.toString()}`;
}

function table(records: readonly RowRecord[]): Html {
  const row = ({
    key,
    sent,
    outcome,
    data,
    entry,
  }: RowRecord) => html`<tr><th scope="row"><a href="${ROWS_PATH}/${key}">${companyOf(sent)}</a></th><td>${sent?.website ?? ''}</td>
    <td>${statusChip(outcome.status)}${outcome.error === undefined ? '' : html` <small>${outcome.error.code}</small>`}</td>${resultOf(data).map((cell) => html`<td>${cell}</td>`)}<td>${entry === undefined ? '' : time(entry.sentAtMs)}</td></tr>`;
  return html`<div class="scroll" role="region" aria-label="Rows" tabindex="0"><table class="rows">
    <thead><tr><th scope="col">Company</th><th scope="col">Website</th><th scope="col">Outcome</th>${SHOWN_RESULT_HEADS.map((head) => html`<th scope="col">${head}</th>`)}<th scope="col">Sent</th></tr></thead>
    <tbody>${records.map(row)}</tbody></table></div>`;
}
