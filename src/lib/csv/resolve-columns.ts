import {
  type ColumnMapping,
  type ColumnOverrides,
  findColumns,
  MAPPED_FIELDS,
  parseMapFlags,
} from '../core/columns.js';
import type { ColumnChoice, ColumnOrigin } from '../core/input-check.js';
import type { Keepable } from '../core/row.js';
import { UsageError } from '../errors.js';
import type { Store } from '../store/store.js';
import { assertHeaderLikely, swappedColumns } from './check-columns.js';
import type { CsvSource } from './csv-source.js';
import { headerHash } from './header-hash.js';
import { type ColumnSample, type SampledSource, sampleColumns } from './sample-columns.js';

/** The store's `mappings` document: what the user last said about each header row, oldest first. */
export type RememberedMappings = readonly {
  readonly headers: string;
  readonly overrides: ColumnOverrides;
  /** What `--keep` said; absent when it never did. */
  readonly keep?: readonly Keepable[];
}[];

/** It is small and rewritten whole. */
const MAX_REMEMBERED = 200;

/**
 * The columns of a file: from the `--map` flags if there are any, else from those last given for the same header row, else
 * by header and values. Remembers nothing. Throws UsageError when a flag is not understood or names no column, when no column
 * is usable, and when another line looks more like the header.
 */
export async function chooseColumns(
  source: SampledSource,
  mapFlags: readonly string[],
  store: Pick<Store, 'document'>,
): Promise<ColumnChoice> {
  const overrides = mapFlags.length > 0 ? overridesOf(mapFlags) : undefined;
  const sample = await sampleColumns(source, overrides ?? {});
  if (overrides !== undefined) return choiceOf(source, overrides, 'flag', sample);
  const { value } = await store.document<RememberedMappings>('mappings').read();
  const remembered = value?.find((entry) => entry.headers === headerHash(source.headers));
  return choiceOf(source, remembered?.overrides ?? {}, 'remembered', sample);
}

/** The columns alone, see `chooseColumns`. */
export async function lookUpColumns(
  source: SampledSource,
  mapFlags: readonly string[],
  store: Pick<Store, 'document'>,
): Promise<ColumnMapping> {
  return (await chooseColumns(source, mapFlags, store)).columns;
}

/** What `--keep` said when a file with this header row was queued; undefined when it said nothing. */
export async function rememberedKeep(
  headers: readonly string[],
  store: Pick<Store, 'document'>,
): Promise<readonly Keepable[] | undefined> {
  const { value } = await store.document<RememberedMappings>('mappings').read();
  return value?.find((entry) => entry.headers === headerHash(headers))?.keep;
}

/**
 * Keeps what the flags say for the next file with the same header row, in place of what was kept before; no `--map` and no
 * `--keep` say nothing. Calling it twice is safe.
 */
export async function rememberFlags(
  source: Pick<CsvSource, 'headers' | 'keep' | 'keepFrom'>,
  mapFlags: readonly string[],
  store: Pick<Store, 'document'>,
): Promise<void> {
  const said = source.keepFrom === 'flag' ? { keep: source.keep } : {};
  if (mapFlags.length === 0 && said.keep === undefined) return;
  const hash = headerHash(source.headers);
  await store.document<RememberedMappings>('mappings').change((value) => {
    const before = value?.find(({ headers }) => headers === hash);
    const overrides = mapFlags.length === 0 ? (before?.overrides ?? {}) : overridesOf(mapFlags);
    const others = (value ?? []).filter(({ headers }) => headers !== hash);
    return [...others, { ...before, ...said, headers: hash, overrides }].slice(-MAX_REMEMBERED);
  });
}

/** The columns as `lookUpColumns` finds them; flags that lead to usable columns are remembered. Calling it twice is safe. */
export async function resolveColumns(
  source: SampledSource,
  mapFlags: readonly string[],
  store: Pick<Store, 'document'>,
): Promise<ColumnMapping> {
  const columns = await lookUpColumns(source, mapFlags, store);
  await rememberFlags({ headers: source.headers, keep: [], keepFrom: null }, mapFlags, store);
  return columns;
}

function overridesOf(mapFlags: readonly string[]): ColumnOverrides {
  const flags = parseMapFlags(mapFlags);
  if (!flags.ok) throw new UsageError(flags.code, flags.message);
  return flags.overrides;
}

function choiceOf(
  source: SampledSource,
  overrides: ColumnOverrides,
  said: ColumnOrigin,
  sample: ColumnSample,
): ColumnChoice {
  const { headers } = source;
  const found = findColumns(headers, overrides, sample.values);
  assertHeaderLikely(source, sample, found.ok && Object.keys(overrides).length > 0);
  if (!found.ok) throw new UsageError(found.code, found.message);
  const { columns, byValues } = found;
  const origins = Object.fromEntries(
    MAPPED_FIELDS.filter((field) => columns[field] !== undefined).map((field) => {
      if (overrides[field] !== undefined) return [field, said];
      return [field, byValues.includes(field) ? 'values' : 'header'];
    }),
  );
  const swapped = Object.keys(overrides).length === 0 ? swappedColumns(columns, sample.values) : [];
  const findings = [...sample.findings, ...swapped];
  const remembered = MAPPED_FIELDS.filter((field) => said === 'remembered' && overrides[field] !== undefined);
  if (remembered.length === 0) return { columns, origins, findings };
  const finding = { code: 'REMEMBERED_MAPPING', count: remembered.length, lines: [], fields: remembered } as const;
  return { columns, origins, findings: [...findings, finding] };
}
