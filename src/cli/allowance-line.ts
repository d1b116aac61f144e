import { formatCount, formatRows } from '../lib/core/format.js';
import type { BudgetFigures } from '../lib/store/set-budget.js';
import { ALLOWANCE_SOURCES, type Allowance } from '../lib/zoho/allowance.js';
import type { ReserveStatus } from '../reports/queue-status.js';
import { moment } from './moment.js';

/** The allowance in a sentence; `asked` is when Zoho was, ISO 8601, where that was not just now. */
export function allowanceLine({ total, used, left, source }: Allowance, asked?: string): string {
  const numbers = `Allowance: ${formatCount(left)} of ${formatCount(total)} left, ${formatCount(used)} used`;
  const from = source === 'zoho' ? numbers : `${numbers} (${ALLOWANCE_SOURCES[source]})`;
  return asked === undefined ? `${from}.` : `${from}, as of ${moment(Date.parse(asked))}.`;
}

/** The budget in a sentence. */
export function budgetLine({ left, rows }: BudgetFigures): string {
  return `Budget: ${formatCount(left)} of ${formatRows(rows)} left; the fleet stops by itself when none is.`;
}

/** The reserve in a sentence. */
export function reserveLine({ keep, left, asked }: ReserveStatus): string {
  const kept = `Reserve: ${formatCount(keep)} of the allowance are kept back`;
  if (left === null || asked === null) return `${kept}; no worker has asked Zoho lately what is left.`;
  return `${kept}; ${formatRows(left)} may be sent until then, as of ${moment(Date.parse(asked))}.`;
}
