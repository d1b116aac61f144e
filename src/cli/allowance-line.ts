import { count } from '../lib/core/wording.js';
import { ALLOWANCE_SOURCES, type Allowance } from '../lib/zoho/allowance.js';

/** The allowance in a sentence. */
export function allowanceLine({ total, used, left, source }: Allowance): string {
  const numbers = `Allowance: ${count(left)} of ${count(total)} left, ${count(used)} used`;
  return source === 'zoho' ? `${numbers}.` : `${numbers} (${ALLOWANCE_SOURCES[source]}).`;
}
