import { html } from 'hono/html';
import { formatCount, formatRows } from '../lib/core/format.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { EnrichedData } from '../lib/core/ledger.js';
import { RESULT_COLUMNS, resultCells } from '../lib/core/result-columns.js';
import { columnWords } from '../reports/bought.js';
import type { RowLine, RowPage } from '../reports/file-rows.js';
import { ROW_STATUSES, type RowStatus } from '../reports/row-outcome.js';
import type { Frame } from './frame.js';
import { page } from './layout.js';
import type { Html } from './markup.js';
import type { OverviewState } from './monitor.js';
import { filePath } from './paths.js';
import { companyOf, STATUS_COLORS, STATUS_WORDS } from './row-words.js';
import type { UploadedFile } from './uploaded-file.js';

/** What the address of a table of a file's rows asks for. */
export interface RowsQuery {
  readonly status: RowStatus | null;
  readonly code: string | null;
  readonly search: string;
  readonly without: string | null;
  /** Counted from 1. */
  readonly page: number;
}

export const ROWS_PER_PAGE = 50;

export function parseRowsQuery(query: Readonly<Record<string, string>>): RowsQuery {
  const wanted = Number(query.page ?? 1);
  return {
    status: ROW_STATUSES.find((status) => status === query.status) ?? null,
    code: query.code || null,
    search: (query.search ?? '').slice(0, 200),
    without: RESULT_COLUMNS.find((column) => column === query.without) ?? null,
    page: Number.isSafeInteger(wanted) && wanted > 0 ? wanted : 1,
  };
}

/** The columns of the result that a table has room for. */
const SHOWN_RESULTS = ['zia_industry', 'zia_employees', 'zia_phone', 'zia_city'] as const;
const RESULT_HEADS = ['Industry', 'Employees', 'Phone', 'City'];

export interface FileRowsPage {
  readonly file: UploadedFile;
  readonly query: RowsQuery;
  /** Null while the rows are counted for the first time. */
  readonly found: RowPage | null;
  /** What Zia found for the rows on this page. */
  readonly results: ReadonlyMap<IdentityKey, EnrichedData>;
}

/** The table of a file's rows: filters, search and pages are addresses, so that it works without a script. */
export function fileRowsPage(
  frame: Frame,
  overview: OverviewState,
  { file, query, found, results }: FileRowsPage,
): Html {
  const base = `${filePath(file.upload.id)}/rows`;
  const title = `Rows of ${file.upload.name}`;
  const head = { title, current: 'files', scripts: ['app.js'], ...(found === null && { refreshSeconds: 2 }) } as const;
  return page(
    head,
    frame,
    overview,
    html`<p class="crumbs"><a href="${filePath(file.upload.id)}">${file.upload.name}</a></p>
    <h1>Rows</h1>
    ${statusChips(file, query, base)}
    ${searchForm(base, query.search, [
      ['status', query.status],
      ['code', query.code],
      ['without', query.without],
    ])}
    ${filterWords(query, base)}
    ${found === null ? html`<p role="status">Counting the rows …</p>` : rowsFound(found, results, file, query, base)}`,
  );
}

function rowsFound(
  { total, rows: lines }: RowPage,
  results: FileRowsPage['results'],
  file: UploadedFile,
  query: RowsQuery,
  base: string,
): Html {
  return html`<p class="quiet" role="status">${formatRows(total)}${file.counting ? ', counting again …' : ''}</p>
    ${total === 0 ? html`<p>No row fits. <a href="${base}">Show all rows</a></p>` : rowsTable(lines, results, base)}
    ${pager(total, query.page, (to) => address(base, { ...query, page: to }))}`;
}

function statusChips({ rows: counted }: UploadedFile, query: RowsQuery, base: string): Html {
  const counts = counted?.counts();
  if (counts === undefined) return html``;
  const number: Readonly<Record<RowStatus, number>> = {
    enriched: counts.enriched,
    not_found: counts.notFound,
    submitted: counts.submitted,
    waiting: counts.waiting,
    uncertain: counts.uncertain,
    failed: counts.failed,
    rejected: counts.rejected,
    not_enqueued: counts.notEnqueued,
  };
  const chip = (status: RowStatus | null, label: string, many: number) =>
    html`<a class="chip" href="${address(base, { ...query, status, code: null, without: null, page: 1 })}" ${query.status === status ? html`aria-current="true"` : ''}>${label} ${formatCount(many)}</a>`;
  return html`<nav class="chips" aria-label="Filter by outcome">${chip(null, 'All', counts.rows)}
    ${ROW_STATUSES.filter((status) => number[status] > 0 || status === query.status).map((status) => chip(status, STATUS_WORDS[status], number[status]))}</nav>`;
}

/** Search by a form that is sent as an address; what else was asked for goes with it. */
export function searchForm(action: string, search: string, more: readonly (readonly [string, string | null])[]): Html {
  return html`<form method="get" action="${action}" class="search" role="search">
    <label for="search">Search companies, websites, emails</label>
    <input id="search" type="search" name="search" value="${search}" maxlength="200" />
    ${more.map(([name, value]) => (value === null ? '' : html`<input type="hidden" name="${name}" value="${value}" />`))}
    <button>Search</button></form>`;
}

function filterWords({ code, without, search }: RowsQuery, base: string): Html {
  const words = [
    ...(code === null ? [] : [`with the code ${code}`]),
    ...(without === null ? [] : [`without ${columnWords(without)}`]),
    ...(search === '' ? [] : [`with “${search}”`]),
  ];
  return words.length === 0
    ? html``
    : html`<p>Only rows ${words.join(' and ')}. <a href="${base}">Show all rows</a></p>`;
}

function rowsTable(lines: readonly RowLine[], results: FileRowsPage['results'], base: string): Html {
  return html`<div class="scroll" role="region" aria-label="Rows" tabindex="0"><table class="rows">
    <thead><tr><th scope="col">Line</th><th scope="col">Company</th><th scope="col">Outcome</th>${RESULT_HEADS.map((head) => html`<th scope="col">${head}</th>`)}<th scope="col">Website</th></tr></thead>
    <tbody>${lines.map(({ line, sentAs, values, status, error }) => {
      const cells = resultOf(sentAs === undefined ? undefined : results.get(sentAs));
      return html`<tr><td>${formatCount(line)}</td><th scope="row"><a href="${base}/${line}">${companyOf(values)}</a></th><td>${statusChip(status)}${error === undefined ? '' : html` <small>${error.code}</small>`}</td>${cells.map((cell) => html`<td>${cell}</td>`)}<td>${values.website ?? ''}</td></tr>`;
    })}</tbody></table></div>`;
}

/** The few values of a result that a table shows. */
export function resultOf(data: EnrichedData | undefined): readonly string[] {
  const cells = resultCells(data);
  return SHOWN_RESULTS.map((column) => shortened(cells[RESULT_COLUMNS.indexOf(column)] ?? ''));
}

export const SHOWN_RESULT_HEADS: readonly string[] = RESULT_HEADS;

export function statusChip(status: RowStatus): Html {
  return html`<span class="status"><i class="dot ink-${STATUS_COLORS[status]}" aria-hidden="true"></i>${STATUS_WORDS[status]}</span>`;
}

const MAX_CELL = 60;

export function shortened(cell: string): string {
  return cell.length > MAX_CELL ? `${[...cell.slice(0, MAX_CELL + 1)].slice(0, MAX_CELL).join('')}…` : cell;
}

/** Links to the first, the one before, the next and the last of the pages. */
export function pager(total: number, current: number, to: (page: number) => string): Html {
  const last = Math.max(1, Math.ceil(total / ROWS_PER_PAGE));
  if (last === 1) return html``;
  const link = (page: number, label: string) =>
    page < 1 || page > last || page === current
      ? html`<span class="quiet">${label}</span>`
      : html`<a href="${to(page)}">${label}</a>`;
  return html`<nav class="pager" aria-label="Pages of rows">${link(1, 'First')} ${link(current - 1, 'Previous')}
    <span>Page ${formatCount(current)} of ${formatCount(last)}</span> ${link(current + 1, 'Next')} ${link(last, 'Last')}</nav>`;
}

/** The address that asks for this; what is as usual is left out. */
export function address(base: string, { status, code, search, without, page: at }: RowsQuery): string {
  const query = new URLSearchParams();
  if (status !== null) query.set('status', status);
  if (code !== null) query.set('code', code);
  if (search !== '') query.set('search', search);
  if (without !== null) query.set('without', without);
  if (at > 1) query.set('page', String(at));
  const text = query.toString();
  return text === '' ? base : `${base}?${text}`;
}
