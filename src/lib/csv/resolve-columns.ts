import { createHash } from 'node:crypto';
import { type ColumnMapping, type ColumnOverrides, findColumns, parseMapFlags } from '../core/columns.js';
import { UsageError } from '../errors.js';
import type { Store } from '../store/store.js';
import type { CsvSource } from './csv-source.js';

/** The store's `mappings` cell: what the user last said about each header row, oldest first. */
export type RememberedMappings = readonly { readonly headers: string; readonly overrides: ColumnOverrides }[];

/** The cell is one small document, rewritten whole. */
const MAX_REMEMBERED = 200;

/**
 * The columns of a file: from the `--map` flags if there are any, else from those last given for the same header row, else
 * by header. Flags that lead to usable columns are remembered, and replace what was remembered before.
 * Throws UsageError when a flag is not understood, names no column, or no column is usable. Calling it twice is safe.
 */
export async function resolveColumns(
  source: Pick<CsvSource, 'headers'>,
  mapFlags: readonly string[],
  store: Pick<Store, 'cell'>,
): Promise<ColumnMapping> {
  const cell = store.cell<RememberedMappings>('mappings');
  const headers = headersHash(source.headers);
  if (mapFlags.length === 0) {
    const { value } = await cell.read();
    const remembered = value?.find((entry) => entry.headers === headers);
    return columnsOf(source.headers, remembered?.overrides ?? {});
  }
  const flags = parseMapFlags(mapFlags);
  if (!flags.ok) throw new UsageError(flags.code, flags.message);
  const columns = columnsOf(source.headers, flags.overrides);
  const entry = { headers, overrides: flags.overrides };
  await cell.change((value) =>
    [...(value ?? []).filter((old) => old.headers !== headers), entry].slice(-MAX_REMEMBERED),
  );
  return columns;
}

function columnsOf(headers: readonly string[], overrides: ColumnOverrides): ColumnMapping {
  const found = findColumns(headers, overrides);
  if (!found.ok) throw new UsageError(found.code, found.message);
  return found.columns;
}

function headersHash(headers: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(headers)).digest('base64url').slice(0, 22);
}
