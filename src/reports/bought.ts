import { ENRICHMENT_FAILED } from '../lib/core/failure.js';
import { formatCount } from '../lib/core/format.js';
import type { IdentityKey } from '../lib/core/ids.js';
import { RESULT_COLUMNS } from '../lib/core/result-columns.js';
import type { RowOutcome } from './row-outcome.js';
import { createSeenKeys } from './seen-keys.js';

/** Of the companies with data, how many have a value in a column of the export. */
export interface ColumnFill {
  readonly column: string;
  readonly companies: number;
}

/** What enrichments brought: each counts once, however many rows have its result. */
export interface Bought {
  /** Enrichments that Zoho counts: every row it accepted, whatever came of it. */
  readonly enrichmentsUsed: number;
  /** Those that brought data. */
  readonly companies: number;
  /** Every column of the result, the fullest first; columns of equal fill in the export's order. */
  readonly fill: readonly ColumnFill[];
}

export interface BoughtTally {
  /** `key`: under which the row was sent. `filled`: the columns with a value, a bit each. */
  add(key: IdentityKey, outcome: Pick<RowOutcome, 'status' | 'error'>, filled: number): void;
  bought(): Bought;
}

export function createBoughtTally(): BoughtTally {
  const seen = createSeenKeys();
  const filledIn = new Uint32Array(RESULT_COLUMNS.length);
  let used = 0;
  let companies = 0;
  return {
    add: (key, { status, error }, filled) => {
      const isPaid = PAID.has(status) || error?.code === ENRICHMENT_FAILED.code;
      if (!isPaid || !seen.add(key)) return;
      used += 1;
      if (status !== 'enriched') return;
      companies += 1;
      for (let bit = 0, rest = filled; rest > 0; bit += 1, rest = Math.floor(rest / 2)) {
        filledIn[bit] = (filledIn[bit] ?? 0) + (rest % 2);
      }
    },
    bought: () => ({
      enrichmentsUsed: used,
      companies,
      // Sorting is stable.
      fill: RESULT_COLUMNS.map((column, bit) => ({ column, companies: filledIn[bit] ?? 0 })).sort(
        (one, other) => other.companies - one.companies,
      ),
    }),
  };
}

const PAID: ReadonlySet<RowOutcome['status']> = new Set(['enriched', 'not_found', 'submitted']);

/** `197 enrichments used, 186 companies with data (94%)` */
export function boughtWords({ enrichmentsUsed: used, companies }: Bought): string {
  const enrichments = `${formatCount(used)} ${used === 1 ? 'enrichment' : 'enrichments'} used`;
  const share = used === 0 ? 0 : companies / used;
  return `${enrichments}, ${formatCount(companies)} ${companies === 1 ? 'company' : 'companies'} with data (${percent(share)})`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

/** `zia_postal_code` as people say it: `postal code`. */
export function columnWords(column: string): string {
  return column.replace(/^zia_/, '').replaceAll('_', ' ');
}
