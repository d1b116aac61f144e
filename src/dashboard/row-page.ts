import { html } from 'hono/html';
import { formatCount } from '../lib/core/format.js';
import { RESULT_COLUMNS, resultCells } from '../lib/core/result-columns.js';
import { INPUT_FIELDS } from '../lib/core/row.js';
import { columnWords } from '../reports/bought.js';
import type { RowLine } from '../reports/file-rows.js';
import type { RowOutcome } from '../reports/row-outcome.js';
import type { RowEvent, RowRecord } from '../reports/row-record.js';
import { FIELD_NAMES } from './field-names.js';
import type { Frame } from './frame.js';
import { page } from './layout.js';
import { type Html, time } from './markup.js';
import type { OverviewState } from './monitor.js';
import { jobUrl } from './queue-board.js';
import { companyOf } from './row-words.js';
import { statusChip } from './rows-page.js';

export interface RowPageContent {
  /** What ledger and queue know; null when neither does. */
  readonly record: RowRecord | null;
  /** The row in its file; null when it was not reached through one. */
  readonly inFile: {
    readonly row: RowLine;
    readonly outcome: RowOutcome;
    readonly name: string;
    readonly href: string;
  } | null;
  readonly notice: Html | null;
}

/** One row: what was sent, what Zia found, ids, notes, history, and what can be done. */
export function rowPage(frame: Frame, overview: OverviewState, { record, inFile, notice }: RowPageContent): Html {
  const values = record?.sent ?? inFile?.row.values ?? null;
  const outcome = record?.outcome ?? inFile?.outcome;
  const company = companyOf(values);
  return page(
    { title: company, current: inFile === null ? 'rows' : 'files', scripts: ['app.js'] },
    frame,
    overview,
    html`<p class="crumbs">${inFile === null ? html`<a href="/rows">All rows</a>` : html`<a href="${inFile.href}">${inFile.name}</a> · line ${formatCount(inFile.row.line)}`}</p>
    <h1>${company}</h1>
    ${notice ?? ''}
    ${outcome === undefined ? '' : outcomeOf(outcome)}
    ${inFile === null || record === null || inFile.row.key === record.key ? '' : html`<p class="hint">This row of the file was sent as another: under other columns, or as an earlier row of its company. That one is shown here.</p>`}
    <div class="columns">
      <section class="card" aria-labelledby="sent-title"><h2 id="sent-title">${record?.entry === undefined ? 'Would be sent' : 'You sent'}</h2>${sentOf(values)}</section>
      <section class="card" aria-labelledby="found-title"><h2 id="found-title">Zia found</h2>${foundOf(record)}</section>
    </div>
    ${record === null ? '' : html`<section class="card" aria-labelledby="history-title"><h2 id="history-title">History</h2>${historyOf(record, frame)}</section>`}
    ${frame.readOnly || record === null ? '' : actionsOf(record)}`,
  );
}

function outcomeOf({ status, error, notes }: RowOutcome): Html {
  return html`<section class="card"><p class="lead">${statusChip(status)}</p>
    ${error === undefined ? '' : html`<p><code>${error.code}</code> ${error.message}</p>`}
    ${notes.length === 0 ? '' : html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`}</section>`;
}

function sentOf(values: Readonly<Partial<Record<(typeof INPUT_FIELDS)[number] | 'recordId', string>>> | null): Html {
  const present = ([...INPUT_FIELDS, 'recordId'] as const).filter((field) => values?.[field]);
  if (present.length === 0) return html`<p class="quiet">The values are not kept.</p>`;
  return html`<dl class="facts">${present.map((field) => html`<div><dt>${FIELD_NAMES[field]}</dt><dd>${values?.[field]}</dd></div>`)}</dl>`;
}

function foundOf(record: RowRecord | null): Html {
  if (record?.data === undefined) {
    const isPending = record?.outcome.status === 'submitted';
    return html`<p class="quiet">${isPending ? 'The result is to come.' : record?.outcome.status === 'not_found' ? 'No data found.' : 'Nothing yet.'}</p>`;
  }
  const cells = resultCells(record.data);
  const filled = RESULT_COLUMNS.flatMap((column, at) => (cells[at] ? [[column, cells[at]] as const] : []));
  return html`<dl class="facts">${filled.map(([column, cell]) => html`<div><dt>${columnWords(column)}</dt><dd>${cell}</dd></div>`)}</dl>`;
}

const STEP_WORDS: Readonly<Record<RowEvent['event'], string>> = {
  queued: 'Queued',
  sent: 'Sent to Zoho',
  accepted: 'Accepted by Zoho',
  result: 'Result received',
  failed: 'Failed',
};

function historyOf({ history, entry, key, hasJob }: RowRecord, { queueName }: Frame): Html {
  return html`${history.length === 0 ? html`<p class="quiet">Nothing is known of it.</p>` : html`<ol class="history">${history.map(({ atMs, event }) => html`<li>${STEP_WORDS[event]} <small>${time(atMs)}</small></li>`)}</ol>`}
    <dl class="facts">
      ${entry?.enrichmentId === undefined ? '' : html`<div><dt>Enrichment id</dt><dd>${entry.enrichmentId}</dd></div>`}
      ${entry === undefined ? '' : html`<div><dt>Times sent</dt><dd>${formatCount(entry.sends)}</dd></div>`}
      <div><dt>Row id</dt><dd>${hasJob ? html`<a href="${jobUrl(queueName, key)}">${key}</a>` : key}</dd></div>
    </dl>`;
}

function actionsOf({ key, entry, outcome }: RowRecord): Html {
  if (entry?.state === 'held') {
    return html`<section class="card" aria-labelledby="decide-title"><h2 id="decide-title">Needs your decision</h2>
      <p>Zoho may or may not have this row: look in Zoho CRM, then say what you found. Sending a row that Zoho has pays for it twice.</p>
      <form method="post" action="/rows/${key}/decide" class="actions"><button name="answer" value="there">Zoho has it</button> <button name="answer" value="again">Not there: send again (costs 1 enrichment)</button></form></section>`;
  }
  if (outcome.status !== 'failed') return html``;
  if (entry?.state === 'scheduled') {
    return html`<section class="card" aria-labelledby="retry-title"><h2 id="retry-title">Try again</h2>
      <p>Zoho took this row and could not enrich it. Sending it again costs an enrichment once more.</p>
      <form method="post" action="/rows/${key}/retry"><input type="hidden" name="paid" value="yes" /><button>Send it again (costs 1 enrichment)</button></form></section>`;
  }
  return html`<section class="card" aria-labelledby="retry-title"><h2 id="retry-title">Try again</h2>
    <p>Zoho took nothing, so nothing was paid. Sending it costs 1 enrichment when Zoho accepts it.</p>
    <form method="post" action="/rows/${key}/retry"><button>Retry (costs 1 enrichment)</button></form></section>`;
}
