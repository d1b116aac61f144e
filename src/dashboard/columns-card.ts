import { html } from 'hono/html';
import {
  type ColumnMapping,
  columnName,
  indexOfHeader,
  MAPPED_FIELDS,
  type MappedField,
  parseMapFlags,
} from '../lib/core/columns.js';
import { formatCount } from '../lib/core/format.js';
import { betterColumns, doubtfulFields } from './doubtful-columns.js';
import { FIELD_NAMES } from './field-names.js';
import type { ColumnSample, FilePreview, PreviewRow } from './file-preview.js';
import type { Frame } from './frame.js';
import { isHeaderDoubtful } from './header-row.js';
import type { Html } from './markup.js';
import { filePath } from './paths.js';
import { problemWords } from './row-words.js';
import { shortened } from './rows-page.js';
import { isSent, type UploadedFile } from './uploaded-file.js';

/** A page with more would take the browser seconds. */
const MAX_COLUMNS_SHOWN = 200;

/** Which column holds what, with its values: what cannot be sent is struck through, with the reason. */
export function columnsCard(file: UploadedFile, { readOnly }: Frame): Html {
  const { preview, upload } = file;
  const base = filePath(upload.id);
  const content = html`${preview.problem === null ? '' : html`<p class="problem" role="alert">${inBrowserWords(preview.problem)}</p>`}
    ${headerQuestion(file, readOnly)}
    ${doubtfulColumns(file, readOnly)}
    <form method="post" action="${base}/columns" class="mapping" autocomplete="off">
      ${MAPPED_FIELDS.map((field) => columnChoice(field, file))}
      ${readOnly ? '' : html`<button>Use these columns</button>`}
    </form>
    <p id="columns-unused" role="status"></p>
    ${previewTable(preview)}`;
  return html`<section class="card" aria-labelledby="columns-title">
    <h2 id="columns-title">Columns</h2>
    ${isSent(file) ? html`<details ${preview.problem === null ? '' : html`open`}><summary>${chosenWords(preview)}</summary>${content}</details>` : content}
  </section>`;
}

function chosenWords({ headers, columns }: FilePreview): string {
  const named = MAPPED_FIELDS.flatMap((field) => {
    const at = columns?.[field];
    return at === undefined ? [] : [`${FIELD_NAMES[field]} from ${headers[at] ?? ''}`];
  });
  return named.length === 0 ? 'No columns are chosen' : named.join(', ');
}

/** A page has no flags. */
function inBrowserWords(problem: string): string {
  return problem
    .replace(/: name one with --map.*$/, ': choose one below.')
    .replace(/ or use --header-line \d+/, '')
    .replace(/--map (\w+)=/g, '$1: ')
    .replaceAll('`', '');
}

/** A file without a header row would lose its first company as one. */
function headerQuestion({ preview, upload, noted }: UploadedFile, readOnly: boolean): Html {
  // Whoever has chosen columns has answered.
  if (readOnly || noted !== null || preview.columns !== null || !isHeaderDoubtful(preview)) return html``;
  const { headers } = preview;
  const shown = headers
    .slice(0, HEADERS_ASKED)
    .map((header, at) => html`${at === 0 ? '' : ', '}<b>${shortened(header)}</b>`);
  return html`<div class="hint" role="note"><p>Is the first line your header row? It says ${shown}${headers.length > HEADERS_ASKED ? ' …' : ''}. If so, choose the columns below.</p>
    <form method="post" action="${filePath(upload.id)}/header"><button>No, the file has no header row</button></form></div>`;
}

const HEADERS_ASKED = 6;
const LOOKS = { name: 'company names', email: 'email addresses', website: 'websites', recordId: 'record ids' } as const;

function doubtfulColumns({ preview, upload }: UploadedFile, readOnly: boolean): Html {
  const { samples, headers, columns } = preview;
  const doubtful = doubtfulFields(preview);
  if (doubtful.length === 0) return html``;
  const words = (field: MappedField) => {
    const { filled = 0, usable = 0, looksLike = null } = samples[field] ?? {};
    const seen = looksLike === null || looksLike === field ? '' : ` They look like ${LOOKS[looksLike]}.`;
    return html`<li><b>${headers[columns?.[field] ?? -1] ?? ''}</b> does not look like ${LOOKS[field]}: ${formatCount(filled - usable)} of ${formatCount(filled)} values cannot be sent.${seen}</li>`;
  };
  const better = readOnly ? null : betterColumns(preview);
  return html`<div class="hint" role="note"><p><b>Is this the right choice of columns?</b></p><ul>${doubtful.map(words)}</ul>
    ${better === null ? '' : swapForm(better, headers, upload.id)}</div>`;
}

function swapForm(columns: ColumnMapping, headers: readonly string[], id: string): Html {
  const chosen = MAPPED_FIELDS.flatMap((field) => {
    const at = columns[field];
    return at === undefined ? [] : [{ field, at }];
  });
  const named = chosen.map(({ field, at }) => `${FIELD_NAMES[field]} from ${headers[at] ?? ''}`).join(', ');
  return html`<form method="post" action="${filePath(id)}/columns">${chosen.map(({ field, at }) => html`<input type="hidden" name="${field}" value="${columnName(headers, at)}" />`)}
    <button>Swap: ${named}</button></form>`;
}

function columnChoice(field: MappedField, file: UploadedFile): Html {
  const { headers, samples } = file.preview;
  const chosen = chosenColumn(field, file);
  const option = (header: string, at: number) => {
    const name = columnName(headers, at);
    const words = name === header.trim() ? header : `${header} (column ${formatCount(at + 1)})`;
    return html`<option value="${name}" ${at === chosen ? 'selected' : ''}>${words}</option>`;
  };
  const options = headers
    .slice(0, MAX_COLUMNS_SHOWN)
    .map((header, at) => (header.trim() === '' && at !== chosen ? '' : option(header, at)));
  const far = chosen !== undefined && chosen >= MAX_COLUMNS_SHOWN ? option(headers[chosen] ?? '', chosen) : '';
  return html`<div class="choice"><label for="column-${field}">${FIELD_NAMES[field]}</label>
    <select id="column-${field}" name="${field}"><option value="" ${chosen === undefined ? 'selected' : ''}>– none –</option>${options}${far}</select>
    ${samples[field] === undefined ? '' : sampleOf(samples[field])}</div>`;
}

function sampleOf({ rows, filled, usable, values }: ColumnSample): Html {
  const percent = rows === 0 ? 0 : Math.round((usable / rows) * 100);
  return html`<p class="sample"><meter min="0" max="${Math.max(1, rows)}" value="${usable}" aria-label="Usable values">${percent}%</meter>
    <small>${percent}% of ${formatCount(rows)} rows usable${filled === usable ? '' : `, ${formatCount(filled - usable)} ${filled - usable === 1 ? 'value' : 'values'} cannot be sent`}</small>
    <small>${values.length === 0 ? 'empty' : values.map(shortened).join(' · ')}</small></p>`;
}

/** Which column is used for a field, or was asked for when the choice cannot be used. */
function chosenColumn(
  field: MappedField,
  { preview: { headers, columns }, mapFlags }: UploadedFile,
): number | undefined {
  if (columns !== null) return columns[field];
  const asked = parseMapFlags(mapFlags);
  const header = asked.ok ? asked.overrides[field] : null;
  return header ? indexOfHeader(headers, header) : undefined;
}

/** The line, the mapped columns and what is sent come first; the others can be scrolled to. */
function previewTable({ headers, rows: first, columns }: FilePreview): Html {
  const mapped = MAPPED_FIELDS.flatMap((field) =>
    columns?.[field] === undefined ? [] : [{ field, at: columns[field] }],
  );
  const isMapped = new Set(mapped.map(({ at }) => at));
  const others = [...headers.keys()].filter((at) => !isMapped.has(at)).slice(0, MAX_COLUMNS_SHOWN - mapped.length);
  const hidden = headers.length - mapped.length - others.length;
  const row = (line: PreviewRow) => html`<tr><th scope="row">${formatCount(line.line)}</th>
    ${mapped.map(({ field, at }) => mappedCell(line, field, at))}<td>${sendsOf(line, columns !== null)}</td>
    ${others.map((at) => html`<td>${shortened(line.cells[at] ?? '')}</td>`)}</tr>`;
  return html`<div class="scroll" role="region" aria-label="First rows" tabindex="0"><table class="preview">
    <thead><tr><th scope="col">Line</th>${mapped.map(({ field, at }) => html`<th scope="col" class="mapped">${headers[at] ?? ''}<small>${FIELD_NAMES[field]}</small></th>`)}<th scope="col">Sends</th>${others.map((at) => html`<th scope="col">${headers[at] ?? ''}</th>`)}</tr></thead>
    <tbody>${first.map(row)}</tbody>
  </table></div>
  ${hidden > 0 ? html`<p class="quiet">${formatCount(hidden)} more columns are not shown.</p>` : ''}`;
}

function mappedCell({ cells, problems }: PreviewRow, field: MappedField, at: number): Html {
  const text = shortened(cells[at] ?? '');
  const problem = problems[field];
  if (problem === undefined) return html`<td class="mapped">${text}</td>`;
  const reason = problem === 'BAD_RECORD_ID' ? 'no record id of Zoho’s' : problemWords(problem, field);
  return html`<td class="mapped"><s>${text}</s> <small>${reason}: will not be sent</small></td>`;
}

function sendsOf({ rejected, sends }: PreviewRow, hasColumns: boolean): string {
  if (!hasColumns) return '–';
  if (rejected !== null) return rejected;
  return sends.map((field) => FIELD_NAMES[field].toLowerCase()).join(', ');
}
