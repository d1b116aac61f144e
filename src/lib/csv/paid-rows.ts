import type { IdentityKey } from '../core/ids.js';
import type { LedgerEntry } from '../core/ledger.js';
import { aliasesOf, companiesNamed, fitOf, type Traits, traitsOf, traitsOfEntry } from '../core/other-columns.js';
import type { Engine } from '../engine/engine.js';
import { type HasSeveral, namesOfSeveral } from './names-of-several.js';
import { type QueuedAs, readOtherUses } from './queued-as.js';
import { type FileRow, readRow } from './row-reader.js';
import type { Input } from './with-input.js';

/** What the store has of a row under other columns than those it is read by. */
export type Elsewhere =
  /** Sent under this key. `gotRecordId`: the row has a record id now, and was sent without. */
  | { readonly kind: 'sent'; readonly key: IdentityKey; readonly entry: LedgerEntry; readonly gotRecordId: boolean }
  /** Nothing but the name fits, and either the file or the ledger has several companies of that name. */
  | { readonly kind: 'several' }
  /** Never sent; these jobs of an earlier queueing stand for it. */
  | { readonly kind: 'queued'; readonly keys: readonly IdentityKey[] };

export interface PaidRowsOptions extends Pick<Input, 'source' | 'columns' | 'module'> {
  readonly engine: { readonly store: Pick<Engine['store'], 'entries' | 'aliasOwners' | 'document' | 'counts'> } & Pick<
    Engine,
    'existingJobs'
  >;
}

export interface PaidRows {
  /** Of rows without a ledger entry of their own, those that the store has under other columns; two to four round trips. */
  find(rows: readonly KeyedRow[]): Promise<ReadonlyMap<IdentityKey, Elsewhere>>;
}

export type KeyedRow = FileRow & { readonly key: IdentityKey };

/** Finds what was paid for, or waits, under other columns: see `docs/architecture.md`, *Paid under other columns*. */
export function createPaidRows({ source, columns, module, engine }: PaidRowsOptions): PaidRows {
  let opened: ReturnType<typeof open> | undefined;
  let several: Promise<HasSeveral> | undefined;
  async function open() {
    const others = await readOtherUses(source, { columns, module }, engine.store);
    // Asked after the time was taken: what is sent from then on does not count, so an empty ledger need not be searched.
    const counts = await engine.store.counts();
    return { ...others, isLedgerEmpty: Object.values(counts).every((entries) => entries === 0) };
  }
  const hasSeveral = async (name: string) => {
    several ??= namesOfSeveral(source, { columns, module });
    return (await several)(name);
  };
  return {
    find: async (rows) => {
      const found = new Map<IdentityKey, Elsewhere>();
      if (rows.length === 0) return found;
      opened ??= open();
      const { uses, nowMs, isLedgerEmpty } = await opened;
      const otherKeys = new Map(uses.length === 0 ? [] : rows.map((row) => [row.key, keysUnder(row, uses)]));
      if (otherKeys.size > 0) await addSentUnder(otherKeys, rows, engine.store, found);
      await addFitting(
        isLedgerEmpty ? [] : rows.filter(({ key }) => !found.has(key)),
        engine.store,
        { hasSeveral, sentBeforeMs: nowMs },
        found,
      );
      await addQueued(otherKeys, engine, found);
      return found;
    },
  };
}

/** A `cleared` entry is as good as never sent. */
export function wasSent(entry: LedgerEntry | undefined): entry is LedgerEntry {
  return entry !== undefined && entry.state !== 'cleared';
}

type Found = Map<IdentityKey, Elsewhere>;
type OtherKeys = ReadonlyMap<IdentityKey, readonly IdentityKey[]>;

/** The keys that a row has under other columns. */
export function keysUnder(row: KeyedRow, uses: readonly QueuedAs[]): readonly IdentityKey[] {
  const keys = new Set(uses.map((use) => readRow(row, use).key));
  return [...keys].filter((key): key is IdentityKey => key !== undefined && key !== row.key);
}

async function addSentUnder(
  otherKeys: OtherKeys,
  rows: readonly KeyedRow[],
  store: PaidRowsOptions['engine']['store'],
  found: Found,
): Promise<void> {
  const entries = await store.entries([...new Set([...otherKeys.values()].flat())]);
  for (const row of rows) {
    for (const key of otherKeys.get(row.key) ?? []) {
      const entry = entries.get(key);
      if (wasSent(entry) && !haveTwoRecordIds(row, entry) && !found.has(row.key))
        found.set(row.key, sent(row, key, entry));
    }
  }
}

interface FitOptions {
  readonly hasSeveral: (name: string) => Promise<boolean>;
  /** Rows of the same file that are sent while it is read change nothing: it would depend on how fast they are. */
  readonly sentBeforeMs: number;
}

async function addFitting(
  rows: readonly KeyedRow[],
  store: PaidRowsOptions['engine']['store'],
  { hasSeveral, sentBeforeMs }: FitOptions,
  found: Found,
): Promise<void> {
  const traits = new Map(rows.map((row) => [row, traitsOfRow(row)]));
  const aliases = [...new Set([...traits.values()].flatMap(aliasesOf))];
  const owners = await store.aliasOwners(aliases);
  if (owners.size === 0) return;
  const entries = await store.entries([...new Set([...owners.values()].flat())]);
  for (const [row, own] of traits) {
    const keys = new Set(aliasesOf(own).flatMap((alias) => owners.get(alias) ?? []));
    const fitting = [...keys].flatMap((key) => {
      const entry = entries.get(key);
      return wasSent(entry) && entry.sentAtMs < sentBeforeMs && key !== row.key ? [candidate(own, key, entry)] : [];
    });
    const best = fitting.find(({ fit }) => fit === 'sure') ?? fitting.find(({ fit }) => fit === 'name');
    if (best === undefined) continue;
    const isOfSeveral = best.fit === 'name' && (companiesNamed(fitting) > 1 || (await hasSeveral(own.name)));
    found.set(row.key, isOfSeveral ? { kind: 'several' } : sent(row, best.key, best.entry));
  }
}

function candidate(own: Traits, key: IdentityKey, entry: LedgerEntry) {
  const traits = traitsOfEntry(entry);
  return { key, entry, traits, fit: fitOf(own, traits) };
}

async function addQueued(otherKeys: OtherKeys, engine: PaidRowsOptions['engine'], found: Found): Promise<void> {
  const open = [...otherKeys].filter(([own, keys]) => keys.length > 0 && found.get(own)?.kind !== 'sent');
  if (open.length === 0) return;
  const withJob = await engine.existingJobs([...new Set(open.flatMap(([, keys]) => keys))]);
  for (const [own, keys] of open) {
    const queued = keys.filter((key) => withJob.has(key));
    if (queued.length > 0) found.set(own, { kind: 'queued', keys: queued });
  }
}

function sent(row: KeyedRow, key: IdentityKey, entry: LedgerEntry): Elsewhere {
  const gotRecordId = recordIdOf(row) !== undefined && traitsOfEntry(entry).recordId === '';
  return { kind: 'sent', key, entry, gotRecordId };
}

function haveTwoRecordIds(row: KeyedRow, entry: LedgerEntry): boolean {
  const [own, paid] = [traitsOfRow(row).recordId, traitsOfEntry(entry).recordId];
  return own !== '' && paid !== '' && own !== paid;
}

function recordIdOf({ parsed }: KeyedRow): string | undefined {
  return parsed.ok ? parsed.row.recordId : undefined;
}

function traitsOfRow({ parsed }: KeyedRow): Traits {
  if (!parsed.ok) throw new Error('A reject has no traits.');
  return traitsOf(parsed.row);
}
