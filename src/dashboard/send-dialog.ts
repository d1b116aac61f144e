import { html } from 'hono/html';
import { MAPPED_FIELDS } from '../lib/core/columns.js';
import { formatCount, formatRows } from '../lib/core/format.js';
import type { Plan } from '../producers/plan-within.js';
import { doubtfulFields } from './doubtful-columns.js';
import { FIELD_NAMES } from './field-names.js';
import { type FilePreview, mappingText } from './file-preview.js';
import { type Frame, orgWords } from './frame.js';
import type { Html } from './markup.js';
import type { OverviewState } from './monitor.js';
import { filePath } from './paths.js';
import type { UploadedFile } from './uploaded-file.js';

/** How many of the new rows are to be sent. */
export type SendChoice = { readonly take: 'first'; readonly rows: number } | { readonly take: 'covered' | 'all' };

const FIRST_ROWS = 10;

export function parseSendChoice(query: Readonly<Record<string, string>>): SendChoice {
  if (query.take === 'covered' || query.take === 'all') return { take: query.take };
  const wanted = Number(query.rows ?? FIRST_ROWS);
  return { take: 'first', rows: Number.isSafeInteger(wanted) && wanted > 0 ? wanted : FIRST_ROWS };
}

/** How many rows a choice comes to. */
export function rowsToSend(choice: SendChoice, { enqueued, covered }: Plan): number {
  switch (choice.take) {
    case 'first':
      return Math.min(choice.rows, enqueued);
    case 'covered':
      return covered ?? enqueued;
    case 'all':
      return enqueued;
  }
}

/** First ten, as many as the allowance covers, or all. A file that was never sent begins with ten. */
export function sendForm({ upload, noted }: UploadedFile, plan: Plan): Html {
  const { enqueued, covered } = plan;
  const isFirst = noted === null && enqueued > FIRST_ROWS;
  const choice = (take: string, label: Html, isChecked: boolean) =>
    html`<p><label><input type="radio" name="take" value="${take}" ${isChecked ? html`checked` : ''} /> ${label}</label></p>`;
  const isCut = covered !== null && covered < enqueued;
  return html`<form method="get" action="${filePath(upload.id)}" class="send" autocomplete="off">
    ${
      enqueued <= FIRST_ROWS
        ? html`<input type="hidden" name="take" value="all" />`
        : html`<fieldset><legend>How many?</legend>
      ${choice('first', html`the first <input type="number" name="rows" min="1" max="${enqueued}" value="${FIRST_ROWS}" aria-label="How many rows first" /> rows, to see what comes back`, isFirst)}
      ${isCut ? choice('covered', html`as many as the ${coveredBy(plan)} (${formatCount(covered)})`, !isFirst && covered > 0) : ''}
      ${choice('all', html`all ${formatRows(enqueued)}`, !isFirst && !(isCut && covered > 0))}</fieldset>`
    }
    <button id="send-open" class="primary" name="ask" value="send">${noted === null ? 'Send to Zia …' : 'Send the rest …'}</button></form>`;
}

function coveredBy({ allowance, budget }: Plan): string {
  if (budget === null) return 'allowance covers';
  return allowance === null ? 'budget covers' : 'budget and the allowance cover';
}

/** The question before money is spent: what is used, of what is left, in which org. */
export function sendDialog(
  { upload, preview, stage }: UploadedFile,
  frame: Frame,
  overview: OverviewState,
  choice: SendChoice,
): Html {
  if (stage.kind !== 'planned' || stage.plan.enqueued === 0) return html``;
  const many = rowsToSend(choice, stage.plan);
  const isAll = many === stage.plan.enqueued;
  const left = overview.allowance;
  const { budget } = overview.sample;
  const ofBudget = budget === null ? '' : `, and of a budget of ${formatCount(budget.left)}`;
  const fits = Math.min(left?.left ?? Number.POSITIVE_INFINITY, budget?.left ?? Number.POSITIVE_INFINITY);
  const uses = `${formatCount(many)} ${many === 1 ? 'enrichment' : 'enrichments'}`;
  return html`<dialog id="send-dialog" aria-labelledby="send-title" data-modal data-from="send-open" open>
    <h2 id="send-title">Send ${formatRows(many)} to Zia?</h2>
    <dl class="facts">
      <div><dt>Uses</dt><dd><b>${uses}</b> ${left === null ? '; how many are left is not known' : `of ${left.source === 'estimate' ? 'an estimated ' : ''}${formatCount(left.left)} left`}${ofBudget}</dd></div>
      <div><dt>Org</dt><dd>${orgWords(frame)}, module ${frame.module}</dd></div>
      <div><dt>Columns</dt><dd>${columnNames(preview)}</dd></div>
      ${isAll ? '' : html`<div><dt>Rows</dt><dd>the first ${formatCount(many)} of ${formatCount(stage.plan.enqueued)} new ones</dd></div>`}
      ${stage.plan.withRecordId === 0 ? '' : html`<div><dt>Records</dt><dd>${formatRows(stage.plan.withRecordId)} of the file ${stage.plan.withRecordId === 1 ? 'has' : 'have'} a record id: Zia may write what it finds to those records.</dd></div>`}
    </dl>
    ${many > fits ? html`<p class="problem">Only ${formatCount(fits)} are left: sending stops by itself when they are used up, and no row is lost.</p>` : ''}
    <div class="actions">
      <form method="dialog"><button>Not yet</button></form>
      <form method="post" action="${filePath(upload.id)}/enqueue"><input type="hidden" name="mapping" value="${mappingText(preview.columns)}" /><input type="hidden" name="limit" value="${isAll ? '' : many}" />${sureBox(preview)}<button class="primary">Send ${formatRows(many)}</button></form>
    </div>
  </dialog>`;
}

/** Whoever sends columns that look wrong says so. */
function sureBox(preview: FilePreview): Html {
  if (doubtfulFields(preview).length === 0) return html``;
  return html`<p><label><input type="checkbox" required /> The columns are right, although many values cannot be sent</label></p>`;
}

/** `Company name from Firm, Email from Mail` */
function columnNames({ headers, columns }: FilePreview): Html {
  const named = MAPPED_FIELDS.flatMap((field) => {
    const at = columns?.[field];
    return at === undefined ? [] : [{ field, header: headers[at] ?? '' }];
  });
  return html`${named.map(({ field, header }, at) => html`${at === 0 ? '' : ', '}${FIELD_NAMES[field]} from <b>${header}</b>`)}`;
}
