import type { IdentityKey } from '../lib/core/ids.js';
import type { SentFields } from '../lib/core/ledger.js';
import { aliasesOf, fitOf, traitsOf, traitsOfEntry } from '../lib/core/other-columns.js';
import { echoDigests } from '../lib/core/reconcile.js';
import { createPaidRows, type KeyedRow, keysUnder, type PaidRows } from '../lib/csv/paid-rows.js';
import { type QueuedAs, readOtherUses } from '../lib/csv/queued-as.js';
import { readRows } from '../lib/csv/row-reader.js';
import type { Input } from '../lib/csv/with-input.js';
import type { Engine } from '../lib/engine/engine.js';
import { createForgetting, type ForgetChoice, type ForgetReport, type Forgetter } from './forgetting.js';

export interface ForgetRowsOptions extends Pick<Input, 'source' | 'columns' | 'module'>, ForgetChoice {
  readonly engine: Engine;
  readonly onProgress?: ((progress: { readonly rows: number; readonly total: number }) => void) | undefined;
  /** Ends between two batches. */
  readonly signal?: AbortSignal | undefined;
}

/** Entries that fit a row by nothing but its name are found one after the other. */
const MAX_ROUNDS = 8;

/**
 * Removes all that the store knows of a file's rows: under their own keys, under other columns, and among orphans. After it
 * they are new. Safe to call again and to interrupt: each row is either whole or gone, and the same call finishes.
 */
export async function forgetRows(options: ForgetRowsOptions): Promise<ForgetReport> {
  const { source, columns, module, engine, onProgress, signal } = options;
  const forgetting = await createForgetting(engine.store, options);
  const paidRows = createPaidRows(options);
  const { uses } = await readOtherUses(source, { columns, module }, engine.store);
  let rows = 0;
  for await (const batch of readRows(source, { columns, module })) {
    signal?.throwIfAborted();
    const keyed = batch.filter((row): row is KeyedRow => row.key !== undefined);
    await forgetBatch(keyed, { engine, uses, paidRows, forgetting });
    rows += batch.length;
    onProgress?.({ rows, total: source.rowCount });
  }
  return { rows, ...forgetting.result() };
}

interface BatchDeps {
  readonly engine: Engine;
  readonly uses: readonly QueuedAs[];
  readonly paidRows: PaidRows;
  readonly forgetting: Forgetter;
}

async function forgetBatch(
  rows: readonly KeyedRow[],
  { engine, uses, paidRows, forgetting }: BatchDeps,
): Promise<void> {
  const { store } = engine;
  const own = new Map(rows.map((row) => [row.key, fieldsOf(row)]));
  const found = new Map<IdentityKey, readonly SentFields[]>([...own].map(([key, sent]) => [key, [sent]]));
  for (const row of rows) {
    for (const key of keysUnder(row, uses)) found.set(key, [fieldsOf(row)]);
  }
  for (const key of await fittingKeys([...own.values()], store)) if (!found.has(key)) found.set(key, []);
  await forgetting.forget(found);
  const orphans = await store.orphansLike([...new Set([...own.values()].map(echoDigests))]);
  await forgetting.forgetOrphans([...new Set([...orphans.values()].flat())]);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const others = new Map<IdentityKey, readonly SentFields[]>();
    for (const elsewhere of (await paidRows.find(rows)).values()) {
      if (elsewhere.kind === 'sent' && !found.has(elsewhere.key)) others.set(elsewhere.key, [elsewhere.entry.sent]);
    }
    if (others.size === 0) return;
    for (const [key, sent] of others) found.set(key, sent);
    await forgetting.forget(others);
  }
}

/** Keys of entries that are these rows for sure, whether or not they have an entry of their own. */
async function fittingKeys(rows: readonly SentFields[], store: Engine['store']): Promise<readonly IdentityKey[]> {
  const traits = rows.map(traitsOf);
  const owners = await store.aliasOwners([...new Set(traits.flatMap(aliasesOf))]);
  const entries = await store.entries([...new Set([...owners.values()].flat())]);
  const keys = new Set<IdentityKey>();
  for (const own of traits) {
    for (const key of aliasesOf(own).flatMap((alias) => owners.get(alias) ?? [])) {
      const entry = entries.get(key);
      if (entry !== undefined && fitOf(own, traitsOfEntry(entry)) === 'sure') keys.add(key);
    }
  }
  return [...keys];
}

function fieldsOf({ parsed }: KeyedRow): SentFields {
  if (!parsed.ok) throw new Error('A reject has no values that were sent.');
  return parsed.row;
}
