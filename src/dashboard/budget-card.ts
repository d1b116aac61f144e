import { html } from 'hono/html';
import { formatCount, formatRows } from '../lib/core/format.js';
import type { Frame } from './frame.js';
import type { Html } from './markup.js';
import type { Snapshot } from './monitor.js';

/** Such as `Budget: 130 of 250 rows left.` */
export function budgetWords({ budget }: Pick<Snapshot, 'budget'>): string {
  if (budget === null) return 'No budget is set: rows are sent until the allowance is spent.';
  return `Budget: ${formatCount(budget.left)} of ${formatRows(budget.rows)} left.`;
}

/** Where the budget is set. The form is no part that changes by itself: what is typed in it stays. */
export function budgetCard(sample: Pick<Snapshot, 'budget'>, { readOnly }: Frame): Html {
  return html`<section class="card" aria-labelledby="budget-title"><h2 id="budget-title">Budget</h2>
    <p id="budget">${budgetWords(sample)}</p>
    ${
      readOnly
        ? ''
        : html`<form method="post" action="/budget" autocomplete="off">
      <p><label>From now on, send at most <input type="number" name="rows" min="0" max="1000000000" required /> rows, then stop.</label></p>
      <button>Set budget</button></form>
      ${sample.budget === null ? '' : html`<form method="post" action="/budget"><input type="hidden" name="rows" value="off" /><button>Remove budget</button></form>`}`
    }</section>`;
}

/** What the form asks for: rows, null to remove the budget, undefined for what is neither. */
export function budgetAsked({ rows = '' }: Readonly<Record<string, string>>): number | null | undefined {
  if (rows === 'off') return null;
  return /^\d{1,10}$/.test(rows) ? Number(rows) : undefined;
}
