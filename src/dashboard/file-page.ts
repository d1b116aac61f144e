import { html } from 'hono/html';
import { MAPPED_FIELDS, type MappedField, parseMapFlags } from '../lib/core/columns.js';
import { count, rows } from '../lib/core/wording.js';
import { type Plan, planLine } from '../producers/plan-within.js';
import type { FileCounts } from '../reports/file-counts.js';
import type { FileCase, Stage } from './file-cases.js';
import { type FilePreview, mappingText } from './file-preview.js';
import { type Html, page, time } from './layout.js';
import { type RowGroup, rowBar } from './row-bar.js';
import type { Upload } from './upload-store.js';

const FIELD_NAMES: Readonly<Record<MappedField, string>> = {
  name: 'Company name',
  email: 'Email',
  website: 'Website',
  recordId: 'CRM record id',
};

/** The path of a file's page. */
export function filePath(id: string): string {
  return `/files/${id}`;
}

/** The parts of the page that change, by the id of the element they fill. */
export function fileParts(file: FileCase): Readonly<Record<string, Html>> {
  return {
    stage: stageSentence(file),
    details: stageDetails(file),
    outcomes: outcomeTable(file),
    'enqueue-rows': rowsToQueue(file),
  };
}

/** The page of one uploaded file: its columns, what enqueueing would do, what became of its rows. `notice` says what was refused. */
export function filePage(file: FileCase, where: string, notice: string | null): Html {
  const { upload, preview } = file;
  const parts = fileParts(file);
  const base = filePath(upload.id);
  return page(
    { title: `${upload.name} · zia-bulk-enrich`, where, current: 'file', scripts: ['app.js'] },
    html`<h1>${upload.name}</h1>
      <p class="quiet">${rows(preview.rowCount)}, ${bytes(upload.bytes)}, ${preview.encoding}, columns set apart by ${delimiterName(preview.delimiter)}</p>
      ${notice === null ? '' : html`<p class="problem" role="alert">${notice}</p>`}
      <section class="card" aria-labelledby="columns-title">
        <h2 id="columns-title">Columns</h2>
        ${preview.problem === null ? '' : html`<p class="problem" role="alert">${preview.problem}</p>`}
        <form method="post" action="${base}/columns" class="mapping" autocomplete="off">
          ${MAPPED_FIELDS.map((field) => columnChoice(field, file))}
          <button>Use these columns</button>
        </form>
        <p id="columns-unused" role="status"></p>
        ${previewTable(preview)}
      </section>
      <section class="card" aria-labelledby="stage-title">
        <h2 id="stage-title">Enqueue</h2>
        <p id="stage" class="stage" role="status">${parts.stage}</p>
        <div id="details" data-poll="${base}/parts">${parts.details}</div>
      </section>
      <section class="card" aria-labelledby="outcomes-title">
        <h2 id="outcomes-title">Rows by outcome</h2>
        <div id="outcomes">${parts.outcomes}</div>
        <div class="actions">
          <a class="button" href="${base}/export">Download the export</a>
        </div>
      </section>
      <dialog id="enqueue-dialog" aria-labelledby="enqueue-title">
        <h2 id="enqueue-title">Queue the new rows?</h2>
        <p><span id="enqueue-rows">${parts['enqueue-rows']}</span>: ${columnNames(preview)}.</p>
        <p>Workers submit them as soon as they can, and each submission uses one enrichment of the allowance.</p>
        <div class="actions">
          <form method="dialog"><button>Not yet</button></form>
          <form method="post" action="${base}/enqueue"><input type="hidden" name="mapping" value="${mappingText(preview.columns)}" /><button class="primary">Queue them</button></form>
        </div>
      </dialog>`,
  );
}

/** Where files are dropped, and those that were. */
export function filesCard(files: readonly FileCase[], maxBytes: number): Html {
  return html`<section class="card" aria-labelledby="files-title">
    <h2 id="files-title">Enqueue a file</h2>
    <form id="upload" class="drop" data-max-bytes="${maxBytes}">
      <label for="upload-file"><b>Drop a CSV file here</b>, or choose one</label>
      <input id="upload-file" type="file" accept=".csv,.tsv,.txt,text/csv" aria-describedby="upload-hint upload-status" />
      <p id="upload-hint" class="quiet">At most ${bytes(maxBytes)}. Nothing is queued before you have seen what was found. A file that was dropped before finds its rows again.</p>
      <progress id="upload-progress" max="1" value="0" aria-label="Upload" hidden></progress>
      <p id="upload-status" role="status"></p>
    </form>
    ${files.length === 0 ? '' : html`<ul class="files">${files.map(({ upload, preview, uploadedAtMs, stage }) => html`<li><a href="${filePath(upload.id)}">${upload.name}</a> <small>${rows(preview.rowCount)}, ${stageWord(stage)}, ${time(uploadedAtMs)}</small></li>`)}</ul>`}
  </section>`;
}

function rowsToQueue({ stage }: FileCase): Html {
  return html`${stage.kind === 'planned' ? `${rows(stage.plan.enqueued)} to queue` : 'No rows to queue now'}`;
}

/** `Company name from Firm, Email from Mail` */
function columnNames({ headers, columns }: FilePreview): Html {
  const named = MAPPED_FIELDS.flatMap((field) => {
    const at = columns?.[field];
    return at === undefined ? [] : [{ field, header: headers[at] ?? '' }];
  });
  return html`${named.map(({ field, header }, at) => html`${at === 0 ? '' : ', '}${FIELD_NAMES[field]} from <b>${header}</b>`)}`;
}

function columnChoice(field: MappedField, file: FileCase): Html {
  const { headers } = file.preview;
  const chosen = chosenColumn(field, file);
  const options = headers.flatMap((header, at) =>
    // Of several columns with one name only the first can be asked for.
    header.trim() === '' || headers.indexOf(header) !== at
      ? []
      : [html`<option value="${header}" ${at === chosen ? 'selected' : ''}>${header}</option>`],
  );
  return html`<p><label for="column-${field}">${FIELD_NAMES[field]}</label>
    <select id="column-${field}" name="${field}"><option value="" ${chosen === undefined ? 'selected' : ''}>– none –</option>${options}</select></p>`;
}

/** Which column is used for a field, or was asked for when the choice cannot be used. */
function chosenColumn(field: MappedField, { preview: { headers, columns }, mapFlags }: FileCase): number | undefined {
  if (columns !== null) return columns[field];
  const asked = parseMapFlags(mapFlags);
  return asked.ok ? headers.findIndex((header) => header.trim() === asked.overrides[field]) : undefined;
}

function previewTable({ headers, rows: first, columns }: FilePreview): Html {
  const fieldAt = new Map(Object.entries(columns ?? {}).map(([field, at]) => [at, field as MappedField]));
  return html`<div class="scroll" role="region" aria-label="First rows" tabindex="0"><table class="preview">
    <thead><tr><th scope="col">Line</th>${headers.map((header, at) => {
      const field = fieldAt.get(at);
      return html`<th scope="col" class="${field === undefined ? '' : 'mapped'}">${header}${field === undefined ? '' : html`<small>${FIELD_NAMES[field]}</small>`}</th>`;
    })}<th scope="col">Usable</th></tr></thead>
    <tbody>${first.map(
      ({ line, cells, rejected }) =>
        html`<tr><th scope="row">${count(line)}</th>${headers.map((_, at) => html`<td class="${fieldAt.has(at) ? 'mapped' : ''}">${shortened(cells[at] ?? '')}</td>`)}<td>${columns === null ? '–' : (rejected ?? 'yes')}</td></tr>`,
    )}</tbody>
  </table></div>`;
}

/** Read out when it changes: the figures beside it would be read out all the time. */
function stageSentence({ stage }: FileCase): Html {
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
      return html`${planLine(stage.plan)}`;
    case 'enqueued':
      return html`<b>${rows(stage.report.enqueued)} queued.</b> ${count(stage.report.duplicates)} repeated in the file, ${count(stage.report.known)} known already, ${count(stage.report.rejected)} rejected.`;
  }
}

function stageDetails({ stage, upload }: FileCase): Html {
  switch (stage.kind) {
    case 'mapping':
    case 'unplanned':
      return html``;
    case 'planning':
    case 'enqueueing':
      return html`<progress max="${Math.max(1, stage.total)}" value="${stage.rows}" aria-labelledby="stage"></progress>
        <p class="quiet">${count(stage.rows)} of ${rows(stage.total)}</p>`;
    case 'failed':
      return html`<p class="problem" role="alert">${stage.message}</p>
        <form method="post" action="${filePath(upload.id)}/plan"><button>Try again</button></form>`;
    case 'planned':
      return planned(stage.plan, upload);
    case 'enqueued':
      return html`<div class="actions"><a class="button" href="/">Watch them on the overview</a>
        ${rejectsLink(stage.report, upload)}</div>`;
  }
}

/** Not with `download`: a refusal would then be saved instead of shown. */
function rejectsLink({ rejected }: { readonly rejected: number }, { id }: Upload): Html {
  return rejected === 0 ? html`` : html`<a class="button" href="${filePath(id)}/rejects">Download the rejects</a>`;
}

function planned(plan: Plan, upload: Upload): Html {
  const { enqueued, duplicates, known, rejected, fieldsLeftOut, rejects, withRecordId } = plan;
  const reasons = Object.entries(rejects).map(([code, records]) => `${code} ${count(records ?? 0)}`);
  return html`<dl class="legend">
      ${figure('New rows', enqueued)} ${figure('Repeated in the file', duplicates)} ${figure('Known already', known)}
      ${figure('Rejected', rejected, reasons.join(', '))} ${figure('Unusable values left out', fieldsLeftOut)}
    </dl>
    ${withRecordId === 0 ? '' : html`<p>${rows(withRecordId)} with a record id: Zoho may write what it finds to those records.</p>`}
    <div class="actions">
      ${enqueued === 0 ? '' : html`<button type="button" id="enqueue-open" class="primary" data-opens="enqueue-dialog">Queue ${rows(enqueued)} …</button>`}
      ${rejectsLink(plan, upload)}
    </div>`;
}

function figure(label: string, value: number, remark = ''): Html {
  return html`<div><dt>${label}${remark === '' ? '' : html` <small>${remark}</small>`}</dt><dd>${count(value)}</dd></div>`;
}

function outcomeTable({ outcomes, preview }: FileCase): Html {
  if (outcomes === null) {
    return html`<p class="quiet">${preview.columns === null ? 'Known once columns are chosen.' : 'Counting …'}</p>`;
  }
  const through = outcomes.rows - outcomes.waiting - outcomes.uncertain - outcomes.notEnqueued;
  return rowBar(groupsOf(outcomes), `${count(through)} of ${rows(outcomes.rows)} through`);
}

function groupsOf(outcomes: FileCounts): readonly RowGroup[] {
  return [
    { color: 'enriched', label: 'Enriched', rows: outcomes.enriched },
    { color: 'empty', label: 'Not found', rows: outcomes.notFound },
    { color: 'submitted', label: 'Submitted, result to come', rows: outcomes.submitted },
    { color: 'queued', label: 'Waiting', rows: outcomes.waiting },
    { color: 'uncertain', label: 'Uncertain', rows: outcomes.uncertain },
    { color: 'failed', label: 'Failed', rows: outcomes.failed },
    { color: 'held', label: 'Rejected', rows: outcomes.rejected },
    { color: 'new', label: 'Not enqueued', rows: outcomes.notEnqueued },
  ];
}

function stageWord({ kind }: Stage): string {
  if (kind === 'planned') return 'not queued';
  return kind === 'unplanned' || kind === 'mapping' ? 'columns to choose' : kind;
}

const LONGEST_CELL = 60;

function shortened(cell: string): string {
  return cell.length > LONGEST_CELL ? `${cell.slice(0, LONGEST_CELL)}…` : cell;
}

function delimiterName(delimiter: string): string {
  return { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'pipes' }[delimiter] ?? delimiter;
}

function bytes(size: number): string {
  if (size < 1_000) return `${size} bytes`;
  return size < 1_000_000 ? `${Math.round(size / 1_000)} kB` : `${Math.round(size / 100_000) / 10} MB`;
}
