import { html } from 'hono/html';
import { formatCount, formatRows } from '../lib/core/format.js';
import { encodingName, findingTexts } from '../producers/check-text.js';
import { type Plan, planLine, recordIdLine } from '../producers/plan-within.js';
import { boughtWords, type ColumnFill, columnWords, percent } from '../reports/bought.js';
import type { FileCounts } from '../reports/file-counts.js';
import { columnsCard } from './columns-card.js';
import { removeForm } from './files-page.js';
import { fleetState } from './fleet-state.js';
import type { Frame } from './frame.js';
import { headerFacts, page } from './layout.js';
import { bytes, type Html } from './markup.js';
import type { OverviewState } from './monitor.js';
import { filePath } from './paths.js';
import { type RowGroup, rowBar } from './row-bar.js';
import { STATUS_COLORS, STATUS_WORDS } from './row-words.js';
import { address } from './rows-page.js';
import { type SendChoice, sendDialog, sendForm } from './send-dialog.js';
import { alarm } from './state-card.js';
import type { Upload } from './upload-store.js';
import { isSent, type UploadedFile } from './uploaded-file.js';

/** The parts of the page that change, by the id of the element they fill. */
export function fileParts(file: UploadedFile, frame: Frame, overview: OverviewState): Readonly<Record<string, Html>> {
  return {
    facts: headerFacts(frame, overview),
    alarm: alarm(overview, frame),
    stage: stageSentence(file),
    details: stageDetails(file, overview, frame),
    outcomes: outcomeTable(file, overview, frame),
    downloads: downloads(file),
    bought: bought(file),
  };
}

export interface FilePageOptions {
  /** What was refused or done; null when there is nothing to tell. */
  readonly notice: string | null;
  /** The question before sending is open. */
  readonly asks: SendChoice | null;
}

/** The page of one file. What became of its rows comes first once they are queued, its columns before that. */
export function filePage(
  file: UploadedFile,
  frame: Frame,
  overview: OverviewState,
  { notice, asks }: FilePageOptions,
): Html {
  const { upload, preview } = file;
  const parts = fileParts(file, frame, overview);
  const base = filePath(upload.id);
  const progress = html`<section class="card" aria-labelledby="stage-title">
        <h2 id="stage-title" tabindex="-1">${isSent(file) ? 'Progress' : 'Send to Zia'}</h2>
        <p id="stage" class="stage" role="status">${parts.stage}</p>
        <div id="details">${parts.details}</div>
      </section>`;
  const outcomes = html`<section class="card" aria-labelledby="outcomes-title">
        <h2 id="outcomes-title">Rows by outcome</h2>
        <div id="outcomes">${parts.outcomes}</div>
        <div id="downloads" class="actions">${parts.downloads}</div>
      </section>
      <section class="card" aria-labelledby="bought-title">
        <h2 id="bought-title">What the money bought</h2>
        <div id="bought">${parts.bought}</div>
      </section>`;
  return page(
    { title: upload.name, current: 'files', scripts: ['app.js'] },
    frame,
    overview,
    html`<p class="crumbs"><a href="/files">Files</a></p>
      <h1>${upload.name}</h1>
      <p class="quiet">${formatRows(preview.rowCount)}, ${bytes(upload.bytes)}, ${encodingName(preview.encoding)}, ${delimiterName(preview.delimiter)}</p>
      <div id="alarm" role="alert" data-poll="${base}/parts">${parts.alarm}</div>
      ${notice === null ? '' : html`<p class="problem" role="alert">${notice}</p>`}
      ${isSent(file) ? html`${progress} ${outcomes} ${columnsCard(file, frame)}` : html`${columnsCard(file, frame)} ${progress} ${outcomes}`}
      ${frame.readOnly || preview.columns === null ? '' : forgetForm(base)}
      ${frame.readOnly ? '' : removeForm(upload.id)}
      ${frame.readOnly || asks === null ? '' : sendDialog(file, frame, overview, asks)}`,
  );
}

/** Read out when it changes: the figures beside it would be read out all the time. */
function stageSentence({ stage, preview }: UploadedFile): Html {
  switch (stage.kind) {
    case 'mapping':
      return html`Reading the columns …`;
    case 'unplanned':
      return html`Choose at least one of company name, email and website.`;
    case 'planning':
      return html`Reading the file …`;
    case 'enqueueing':
      return html`Queueing …`;
    case 'failed':
      return html``;
    case 'planned':
      return html`${stage.report === undefined ? '' : html`<b>${formatRows(stage.report.enqueued)} queued.</b> `}${allKnown(stage.plan) ? `All ${formatRows(preview.rowCount)} of this file that can be sent are already done or waiting.` : planLine(stage.plan)}`;
    case 'enqueued':
      return html`<b>${formatRows(stage.report.enqueued)} queued.</b> ${formatCount(stage.report.duplicates)} repeated in the file, ${formatCount(stage.report.known)} already done or waiting, ${formatCount(stage.report.rejected)} rejected.`;
  }
}

function allKnown({ enqueued, known }: Plan): boolean {
  return enqueued === 0 && known > 0;
}

function stageDetails(file: UploadedFile, overview: OverviewState, frame: Frame): Html {
  const { stage, upload } = file;
  switch (stage.kind) {
    case 'mapping':
    case 'unplanned':
      return html``;
    case 'planning':
    case 'enqueueing':
      return html`<progress max="${Math.max(1, stage.total)}" value="${stage.rows}" aria-labelledby="stage"></progress>
        <p class="quiet">${formatCount(stage.rows)} of ${formatRows(stage.total)}</p>`;
    case 'failed':
      return html`<p class="problem" role="alert">${stage.message}</p>
        <form method="post" action="${filePath(upload.id)}/plan"><button>Try again</button></form>`;
    case 'planned':
      return html`${stage.report === undefined ? '' : fleetHint(overview)} ${planned(file, stage.plan, frame)}`;
    case 'enqueued':
      return html`${fleetHint(overview)}<div class="actions"><a class="button" href="/">Watch them on the overview</a>
        ${rejectsLink(stage.report, upload)}</div>`;
  }
}

/** What keeps queued rows from being sent. */
function fleetHint(overview: OverviewState): Html {
  const { kind, title, text } = fleetState(overview);
  return kind === 'sending' || kind === 'idle' ? html`` : html`<p class="hint"><b>${title}.</b> ${text}</p>`;
}

/** Not with `download`: a refusal would then be saved instead of shown. */
function rejectsLink({ rejected }: { readonly rejected: number }, { id }: Upload): Html {
  if (rejected === 0) return html``;
  return html`<a class="button" href="${filePath(id)}/rejects">Download the rejects (${formatCount(rejected)})</a>`;
}

function planned(file: UploadedFile, plan: Plan, { readOnly }: Frame): Html {
  const { enqueued, duplicates, known, knownUnderOtherColumns, rejected, fieldsLeftOut, rejects, withRecordId } = plan;
  const elsewhere =
    knownUnderOtherColumns === 0 ? '' : `${formatCount(knownUnderOtherColumns)} paid under other columns`;
  const reasons = Object.entries(rejects).map(([code, records]) => `${code} ${formatCount(records ?? 0)}`);
  return html`<dl class="legend">
      ${figure('New rows', enqueued)} ${figure('Repeated in the file', duplicates)} ${figure('Already done or waiting', known, elsewhere)}
      ${figure('Rejected', rejected, reasons.join(', '))} ${figure('Values that will not be sent', fieldsLeftOut)}
    </dl>
    ${withRecordId === 0 ? '' : html`<p>${recordIdLine(plan)}</p>`}
    ${findings(plan)}
    ${enqueued === 0 || readOnly ? '' : sendForm(file, plan)}
    <div class="actions">${rejectsLink(plan, file.upload)}</div>`;
}

/** What the check of the file noticed. */
function findings({ input }: Plan): Html {
  if (input.findings.length === 0) return html``;
  return html`<div class="hint" role="note"><p><b>Look at</b></p><ul>${findingTexts(input).map((text) => html`<li>${text}</li>`)}</ul></div>`;
}

function figure(label: string, value: number, remark = ''): Html {
  return html`<div><dt>${label}${remark === '' ? '' : html` <small>${remark}</small>`}</dt><dd>${formatCount(value)}</dd></div>`;
}

function outcomeTable(file: UploadedFile, { sample }: OverviewState, { readOnly }: Frame): Html {
  const { rows: counted, preview, counting } = file;
  if (counted === null) {
    return html`<p class="quiet">${preview.columns === null ? 'Choose columns to see this.' : 'Counting …'}</p>`;
  }
  const counts = counted.counts();
  const sent = counts.enriched + counts.notFound + counts.submitted + counts.failed;
  const pending =
    counts.submitted === 0
      ? ''
      : `, ${formatCount(counts.submitted)} waiting for ${counts.submitted === 1 ? 'its result' : 'their results'}`;
  const text = `${formatCount(sent)} of ${formatRows(counts.rows)} sent${pending}`;
  const companies = counted.companies().rows;
  const sendable = counts.rows - counts.rejected;
  const noWorker = counts.submitted > 0 && sample.fleetStats.workers === 0;
  return html`<p class="lead">${text}</p>
    ${rowBar(groupsOf(counts, filePath(file.upload.id)), text)}
    ${companies === sendable ? '' : html`<p class="quiet">${formatRows(sendable)} that can be sent are ${formatCount(companies)} different ones: each is sent once.</p>`}
    ${noWorker ? html`<p class="hint">No worker is running to collect the results.</p>` : ''}
    ${codesOf(file)}
    ${readOnly ? '' : cancelForm(counts.waiting, file)}
    <p class="actions"><a class="button" href="${filePath(file.upload.id)}/rows">Show the rows</a> ${counting ? html`<small>counting again …</small>` : ''}</p>`;
}

/** Rows that wait were not paid for: they can be taken back, and sent again later. */
function cancelForm(waiting: number, { upload }: UploadedFile): Html {
  if (waiting === 0) return html``;
  return html`<form method="post" action="${filePath(upload.id)}/cancel" class="actions"><button>Take waiting rows out of the queue (${formatCount(waiting)})</button></form>`;
}

/** Outside of what is renewed: an open question stays open. */
function forgetForm(base: string): Html {
  return html`<section class="card" aria-labelledby="forget-title">
      <h2 id="forget-title">Forget the rows</h2>
      <details><summary>Erase what is known of this file’s rows …</summary>
        <p>Their outcomes, what was sent and what Zia found are erased. It cannot be undone, and rows that are sent again cost an enrichment again. This upload, exports, logs and backups are not reached.</p>
        <form method="post" action="${base}/forget" class="actions"><button>Forget the rows of this file</button></form>
      </details>
    </section>`;
}

function codesOf({ rows: counted, upload }: UploadedFile): Html {
  const codes = counted?.codes() ?? [];
  if (codes.length === 0) return html``;
  const link = ([code, many]: readonly [string, number]) =>
    html`<li><a href="${address(`${filePath(upload.id)}/rows`, { status: null, code, search: '', without: null, page: 1 })}"><code>${code}</code> ${formatRows(many)}</a></li>`;
  return html`<h3>Problems</h3><ul class="plain">${codes.map(link)}</ul>`;
}

function groupsOf(counts: FileCounts, base: string): readonly RowGroup[] {
  const group = (status: keyof typeof STATUS_WORDS, many: number): RowGroup => ({
    color: STATUS_COLORS[status],
    label: STATUS_WORDS[status],
    rows: many,
    href: `${base}/rows?status=${status}`,
  });
  return [
    group('enriched', counts.enriched),
    group('not_found', counts.notFound),
    group('submitted', counts.submitted),
    group('waiting', counts.waiting),
    group('uncertain', counts.uncertain),
    group('failed', counts.failed),
    group('rejected', counts.rejected),
    group('not_enqueued', counts.notEnqueued),
  ];
}

/** By purpose, each with its rows; marked while results are missing. */
function downloads({ upload, preview, rows: counted }: UploadedFile): Html {
  if (preview.columns === null) return html`<button disabled>Download everything</button>`;
  const base = `${filePath(upload.id)}/export`;
  const counts = counted?.counts();
  if (counts === undefined) return html`<a class="button" href="${base}">Download everything</a>`;
  const missing = counts.submitted === 0 ? '' : `, ${formatCount(counts.submitted)} still without result`;
  const problems = counts.failed + counts.rejected;
  return html`<a class="button" href="${base}">Download everything (${formatRows(counts.rows)}${missing})</a>
    ${counts.enriched === 0 ? '' : html`<a class="button" href="${base}?only=enriched">Only enriched (${formatRows(counts.enriched)}${missing})</a>`}
    ${problems === 0 ? '' : html`<a class="button" href="${base}?only=problems">Problems, to correct and add again (${formatRows(problems)})</a>`}`;
}

/** Of the enriched companies, how many have a value in each column. */
function bought({ rows: counted, upload }: UploadedFile): Html {
  const all = counted?.bought();
  if (all === undefined || all.companies === 0) return html`<p class="quiet">Shown after the first result.</p>`;
  const bar = ({ column, companies }: ColumnFill) => {
    const without = address(`${filePath(upload.id)}/rows`, {
      status: null,
      code: null,
      search: '',
      without: column,
      page: 1,
    });
    const lacks = all.companies - companies;
    const share = percent(companies / all.companies);
    return html`<tr><th scope="row">${columnWords(column)}</th><td class="meter"><meter min="0" max="${all.companies}" value="${companies}" aria-label="${columnWords(column)} filled">${share}</meter></td><td>${formatCount(companies)} (${share})</td><td>${lacks === 0 ? '' : html`<a href="${without}">${formatCount(lacks)} without</a>`}</td></tr>`;
  };
  const [shown, others] = [
    all.fill.filter(({ companies }) => companies > 0),
    all.fill.filter(({ companies }) => companies === 0),
  ];
  return html`<p class="lead">${boughtWords(all)}</p>
    <div class="scroll" role="region" aria-label="Columns filled" tabindex="0"><table class="fill"><thead><tr><th scope="col">Column</th><th scope="col">Filled</th><th scope="col">Companies</th><th scope="col">Rows without it</th></tr></thead>
    <tbody>${shown.map(bar)}</tbody></table></div>
    ${others.length === 0 ? '' : html`<p class="quiet">Never filled: ${others.map(({ column }) => columnWords(column)).join(', ')}.</p>`}`;
}

function delimiterName(delimiter: string): string {
  return (
    { ',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'pipe' }[delimiter]?.concat('-separated') ??
    `separated by ${delimiter}`
  );
}
