import { formatCount } from '../lib/core/format.js';
import { ALLOWANCE_SOURCES, type Allowance } from '../lib/zoho/allowance.js';

/** The allowance in a sentence. */
export function allowanceLine({ total, used, left, source }: Allowance): string {
  const numbers = `Allowance: ${formatCount(left)} of ${formatCount(total)} left, ${formatCount(used)} used`;
  return source === 'zoho' ? `${numbers}.` : `${numbers} (${ALLOWANCE_SOURCES[source]}).`;
}
