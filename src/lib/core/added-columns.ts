import { RESULT_COLUMNS } from './result-columns.js';

/** The columns an export adds, in order; those of the result come last. */
export const ADDED_COLUMNS: readonly string[] = [
  'zia_status',
  'zia_enrichment_id',
  'zia_submitted_at',
  'zia_error_code',
  'zia_error',
  'zia_notes',
  ...RESULT_COLUMNS,
];

/** `zia_line` is that of a file of rejects. */
const OURS = new Set([...ADDED_COLUMNS, 'zia_line']);

/** Whether a column is one that an earlier export, or a file of rejects, added; `Zia_Owner` is the user's own. */
export function isAddedColumn(header: string): boolean {
  return OURS.has(header.trim().toLowerCase());
}
