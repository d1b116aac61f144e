import { html } from 'hono/html';
import { ENRICHMENT_FAILED } from '../lib/core/failure.js';
import { formatCount, formatRows } from '../lib/core/format.js';
import { type Frame, orgWords } from './frame.js';
import { type Html, time } from './markup.js';
import type { OverviewState } from './monitor.js';
import type { ProblemGroup } from './problems.js';
import { companyOf } from './row-words.js';

/** Everything that needs a person, grouped by what is to be done. */
export function problemsCard({ sample }: OverviewState, frame: Frame): Html {
  const { problems, ledger } = sample;
  const { groups, held, isPartial } = problems;
  if (groups.length === 0 && ledger.held === 0 && ledger.uncertain === 0)
    return html`<p class="quiet">No problems.</p>`;
  return html`${ledger.held === 0 ? '' : heldRows(held, ledger.held, frame)}
    ${
      ledger.uncertain === 0
        ? ''
        : html`<section class="problem-group"><h3>Checking with Zoho <span class="count">${formatCount(ledger.uncertain)}</span></h3>
      <p>The reply got lost, so we look at Zoho before sending again. Nothing to do. <a href="/rows?filter=uncertain">Show</a></p></section>`
    }
    ${groups.map((group) => groupOf(group, frame))}
    ${isPartial ? html`<p class="quiet">More rows failed than are counted here: these are the latest.</p>` : ''}`;
}

function heldRows(held: OverviewState['sample']['problems']['held'], total: number, { readOnly }: Frame): Html {
  return html`<section class="problem-group"><h3>Needs your decision <span class="count">${formatCount(total)}</span></h3>
    <p>Zoho may or may not have ${total === 1 ? 'this row' : 'these rows'}: look in Zoho CRM, then say what you found. Sending a row that Zoho has pays for it twice.</p>
    <ul class="plain">${held.map(
      ([
        key,
        { sent, sentAtMs },
      ]) => html`<li class="decision"><span><a href="/rows/${key}">${companyOf(sent)}</a> <small>sent ${time(sentAtMs)}</small></span>
        ${readOnly ? '' : html`<form method="post" action="/rows/${key}/decide"><button name="answer" value="there">Zoho has it</button> <button name="answer" value="again">Not there: send again</button></form>`}</li>`,
    )}</ul>
    ${total > held.length ? html`<p><a href="/rows?filter=held">Show all ${formatCount(total)}</a></p>` : ''}
  </section>`;
}

function groupOf({ code, rows: many, message, isPaid }: ProblemGroup, { readOnly }: Frame): Html {
  const query = encodeURIComponent(code);
  return html`<section class="problem-group"><h3><code>${code}</code> <span class="count">${formatCount(many)}</span></h3>
    <p>${message} ${adviceFor(code, isPaid)}</p>
    <div class="actions">
      <a class="button" href="/rows?filter=failed&code=${query}">Show ${formatRows(many)}</a>
      <a class="button" href="/problems/${query}.csv">Download them</a>
      ${readOnly ? '' : isPaid ? html`<form method="get" action="/"><button id="paid-open" name="ask" value="retry-paid">Send ${formatRows(many)} again (costs up to ${formatCount(many)}) …</button></form>` : html`<form method="post" action="/problems/retry"><input type="hidden" name="code" value="${code}" /><button>Retry ${formatRows(many)}</button></form>`}
    </div>
  </section>`;
}

function adviceFor(code: string, isPaid: boolean): string {
  if (isPaid)
    return 'Sending them again costs an enrichment each; corrected ones may fare better: download them, correct them, and add that file.';
  if (code === 'INVALID_DATA')
    return 'Download them, correct the value and add that file; Zoho took nothing, so nothing was paid.';
  return 'Zoho took nothing, so a retry costs what a first try does.';
}

/** The question before rows that Zoho took and failed are paid for again. */
export function paidRetryDialog({ sample, allowance }: OverviewState, frame: Frame): Html {
  const many = sample.ledger.failed;
  if (many === 0) return html``;
  const left = allowance === null ? 'how many are left is not known' : `of ${formatCount(allowance.left)} left`;
  return html`<dialog id="paid-dialog" aria-labelledby="paid-title" data-from="paid-open" open>
    <h2 id="paid-title">Send ${formatRows(many)} again?</h2>
    <p>Zoho took ${many === 1 ? 'it' : 'them'} and could not enrich ${many === 1 ? 'it' : 'them'}. Uses up to <b>${formatCount(many)} ${many === 1 ? 'enrichment' : 'enrichments'}</b>, ${left}, in ${orgWords(frame)}.</p>
    <div class="actions">
      <form method="dialog"><button>Not yet</button></form>
      <form method="post" action="/problems/retry"><input type="hidden" name="code" value="${ENRICHMENT_FAILED.code}" /><input type="hidden" name="paid" value="yes" /><button class="primary">Send ${formatRows(many)} again</button></form>
    </div>
  </dialog>`;
}
