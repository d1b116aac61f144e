import { html } from 'hono/html';
import { formatCount, formatRows } from '../lib/core/format.js';
import type { NotedFile } from '../lib/store/files.js';
import { FIELD_NAMES } from './field-names.js';
import type { Frame } from './frame.js';
import { headerFacts, page } from './layout.js';
import { bytes, type Html, time } from './markup.js';
import type { OverviewState } from './monitor.js';
import { filePath } from './paths.js';
import { alarm } from './state-card.js';
import type { UploadedFile } from './uploaded-file.js';

/** A file of the list: open in this dashboard, noted in the store, or both. */
export interface ListedFile {
  readonly id: string;
  readonly name: string;
  readonly open: UploadedFile | null;
  readonly noted: NotedFile | null;
}

/** Open files first, then what the store notes, each once. */
export function listedFiles(open: readonly UploadedFile[], noted: readonly NotedFile[]): readonly ListedFile[] {
  const opened = new Map(open.map((file) => [file.upload.id, file]));
  const notedIds = new Set(noted.map(({ id }) => id));
  return [
    ...open
      .filter(({ upload }) => !notedIds.has(upload.id))
      .map((file) => ({ id: file.upload.id, name: file.upload.name, open: file, noted: null })),
    ...noted.map((file) => ({ id: file.id, name: file.name, open: opened.get(file.id) ?? null, noted: file })),
  ];
}

/** Where files are dropped. Without a script a form sends the chosen file. */
export function dropBox(maxBytes: number): Html {
  return html`<form id="upload" class="drop" method="post" action="/files/form" enctype="multipart/form-data" data-max-bytes="${maxBytes}">
      <label for="upload-file"><b>Drop a CSV file here</b>, or choose one</label>
      <input id="upload-file" type="file" name="file" accept=".csv,.tsv,.txt,text/csv" aria-describedby="upload-hint upload-status" />
      <p id="upload-hint" class="quiet">At most ${bytes(maxBytes)}. Nothing is sent before you have seen what was found. Dropping the same file again is safe: finished rows are recognised.</p>
      <noscript><button>Add the file</button></noscript>
      <progress id="upload-progress" max="1" value="0" aria-label="Upload" hidden></progress>
      <p id="upload-status" role="status"></p>
    </form>`;
}

const LISTED_ON_OVERVIEW = 5;

/** The card of the overview: the drop box, and the latest files. */
export function filesCard(files: readonly ListedFile[], maxBytes: number | null): Html {
  return html`<section class="card" aria-labelledby="files-title">
    <h2 id="files-title">${maxBytes === null ? 'Files' : 'Add a file'}</h2>
    ${maxBytes === null ? '' : dropBox(maxBytes)}
    ${files.length === 0 ? '' : html`<ul class="files">${files.slice(0, LISTED_ON_OVERVIEW).map((file) => html`<li><a href="${filePath(file.id)}">${file.name}</a> <small>${wordsOf(file)}</small></li>`)}</ul>`}
    ${files.length > LISTED_ON_OVERVIEW ? html`<p><a href="/files">All ${formatCount(files.length)} files</a></p>` : ''}
  </section>`;
}

/** All files, the latest first. */
export function filesPage(
  frame: Frame,
  overview: OverviewState,
  files: readonly ListedFile[],
  maxBytes: number | null,
): Html {
  return page(
    { title: 'Files', current: 'files', scripts: ['app.js', 'upload.js'] },
    frame,
    overview,
    html`<h1>Files</h1>
    <div id="alarm" role="alert" data-poll="/files/parts">${alarm(overview, frame)}</div>
    ${maxBytes === null ? '' : html`<section class="card" aria-labelledby="drop-title"><h2 id="drop-title">Add a file</h2>${dropBox(maxBytes)}</section>`}
    ${files.length === 0 ? html`<p class="quiet">No file was added yet.</p>` : fileTable(files)}`,
  );
}

export function filesPageParts(frame: Frame, overview: OverviewState): Readonly<Record<string, Html>> {
  return { facts: headerFacts(frame, overview), alarm: alarm(overview, frame) };
}

function fileTable(files: readonly ListedFile[]): Html {
  const row = ({
    id,
    name,
    open,
    noted,
  }: ListedFile) => html`<tr><th scope="row"><a href="${filePath(id)}">${name}</a></th>
    <td>${formatCount(noted?.counts?.rows ?? open?.preview.rowCount ?? 0)}</td><td>${wordsOf({ id, name, open, noted })}</td>
    <td>${noted === null ? '–' : mappingOf(noted)}</td><td>${noted?.outcomes === undefined ? '–' : formatCount(noted.outcomes.used)}</td>
    <td>${noted === null ? html`${time(open?.uploadedAtMs ?? 0)}` : html`${time(noted.atMs)} <small>${noted.by === 'command' ? 'by command' : 'in the browser'}</small>`}</td></tr>`;
  return html`<section class="card" aria-labelledby="list-title"><h2 id="list-title">${files.length === 1 ? '1 file' : `${formatCount(files.length)} files`}</h2>
    <div class="scroll" role="region" aria-label="Files" tabindex="0"><table>
    <thead><tr><th scope="col">File</th><th scope="col">Rows</th><th scope="col">What became of it</th><th scope="col">Columns</th><th scope="col">Enrichments used</th><th scope="col">Queued</th></tr></thead>
    <tbody>${files.map(row)}</tbody></table></div></section>`;
}

function mappingOf({ headers }: NotedFile): string {
  return Object.entries(headers)
    .map(([field, header]) => `${FIELD_NAMES[field as keyof typeof FIELD_NAMES]}: ${header}`)
    .join(', ');
}

/** `all rows known · 203 enriched`, or how far it is. */
function wordsOf({ open, noted }: ListedFile): string {
  const stage = open?.stage;
  if (stage?.kind === 'enqueueing') return 'being queued';
  const outcomes = open?.rows?.counts() ?? noted?.outcomes?.counts;
  if (outcomes !== undefined && noted !== null) {
    const parts = [
      outcomes.notEnqueued === 0 ? 'all rows known' : `${formatRows(outcomes.notEnqueued)} not queued`,
      ...(outcomes.waiting > 0 ? [`${formatCount(outcomes.waiting)} waiting`] : []),
      ...(outcomes.submitted > 0 ? [`${formatCount(outcomes.submitted)} sent, waiting for result`] : []),
      `${formatCount(outcomes.enriched)} enriched`,
    ];
    return parts.join(' · ');
  }
  if (noted?.counts)
    return `${formatRows(noted.counts.enqueued)} queued, ${formatCount(noted.counts.known)} known before, ${formatCount(noted.counts.rejected)} rejected`;
  if (noted !== null) return 'queueing was cut short';
  if (stage?.kind === 'planned') {
    return stage.plan.enqueued === 0 && stage.plan.known > 0
      ? 'all rows known'
      : `${formatRows(stage.plan.enqueued)} not queued yet`;
  }
  return stage?.kind === 'unplanned' ? 'columns to choose' : 'not queued yet';
}

/** Takes a file off the list; what is known of its rows stays. */
export function removeForm(id: string): Html {
  return html`<section class="card" aria-labelledby="remove-title">
      <h2 id="remove-title">Remove from the list</h2>
      <p>Its rows, waiting ones too, and their results stay: dropping the file again finds them.</p>
      <form method="post" action="${filePath(id)}/drop"><button>Remove the file from the list</button></form>
    </section>`;
}

/** The page of a file whose content is not on this machine any more. */
export function missingFilePage(frame: Frame, overview: OverviewState, file: NotedFile, maxBytes: number | null): Html {
  return page(
    { title: file.name, current: 'files', scripts: ['app.js', 'upload.js'] },
    frame,
    overview,
    html`<p class="crumbs"><a href="/files">Files</a></p><h1>${file.name}</h1>
    <p>${wordsOf({ id: file.id, name: file.name, open: null, noted: file })}. Queued ${time(file.atMs)} ${file.by === 'command' ? 'by command' : 'in the browser'}; ${mappingOf(file)}.</p>
    <p class="hint">The file itself is not on this machine${file.path === null ? '' : ' (or has changed)'}: add it again to see its rows. Nothing is lost, and nothing is paid again.</p>
    ${maxBytes === null ? '' : dropBox(maxBytes)}
    ${frame.readOnly ? '' : removeForm(file.id)}`,
  );
}
