import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import type { SentFields } from '../lib/core/ledger.js';
import { aliasesOf, traitsOf, traitsOfEntry } from '../lib/core/other-columns.js';
import type { Forgetting } from '../lib/store/erasure.js';
import type { Store } from '../lib/store/store.js';

/** Which of the rows that were found are forgotten. */
export interface ForgetChoice {
  /** Only rows that finished before so long ago; all when absent. */
  readonly olderThanMs?: number | undefined;
  /** Change nothing and say what would be done. */
  readonly dryRun: boolean;
}

export interface ForgetReport {
  /** Records of the file; without one, rows with the value. */
  readonly rows: number;
  /** Rows of which nothing is known any more. */
  readonly forgotten: number;
  /** Rows that are being sent or uncertain: they stay. */
  readonly left: number;
  /** Rows that had not finished so long ago: they stay. */
  readonly kept: number;
  /** Enrichments at Zoho without a row here, forgotten too. */
  readonly orphans: number;
}

export interface Forgetter {
  /** Forgets the rows of these keys, each with the values it is known to have had. */
  forget(rows: ReadonlyMap<IdentityKey, readonly SentFields[]>): Promise<void>;
  forgetOrphans(ids: readonly EnrichmentId[]): Promise<void>;
  result(): Omit<ForgetReport, 'rows'>;
}

type Ledger = Pick<Store, 'control' | 'entries' | 'forget' | 'forgetOrphans' | 'orphans'>;

/** Forgets rows and counts them; a row that is given twice counts once. */
export async function createForgetting(store: Ledger, { olderThanMs, dryRun }: ForgetChoice): Promise<Forgetter> {
  const { nowMs } = await store.control.read();
  const finishedBeforeMs = olderThanMs === undefined ? undefined : nowMs - olderThanMs;
  const seen = new Set<string>();
  const counts: Record<Forgetting, number> = { forgotten: 0, open: 0, kept: 0, absent: 0 };
  let orphans = 0;

  async function forget(rows: ReadonlyMap<IdentityKey, readonly SentFields[]>): Promise<void> {
    const entries = await store.entries([...rows.keys()]);
    const aliases = new Map(
      [...rows].map(([key, values]) => {
        const entry = entries.get(key);
        const traits = [...values.map(traitsOf), ...(entry === undefined ? [] : [traitsOfEntry(entry)])];
        const all = traits.flatMap(aliasesOf);
        return [key, [...new Set(all)]];
      }),
    );
    for (const [key, fate] of await store.forget(aliases, { finishedBeforeMs, dryRun })) count(key, fate);
  }

  async function forgetOrphans(ids: readonly EnrichmentId[]): Promise<void> {
    const known = [...(await store.orphans(ids)).values()];
    const due = known.filter(({ createdAtMs }) => finishedBeforeMs === undefined || createdAtMs < finishedBeforeMs);
    const fates = await store.forgetOrphans(
      due.map(({ id }) => id),
      { dryRun },
    );
    for (const [id, fate] of fates) {
      if (fate !== 'forgotten' || seen.has(id)) continue;
      seen.add(id);
      orphans += 1;
    }
  }

  function count(key: IdentityKey, fate: Forgetting): void {
    if (fate === 'absent' || seen.has(key)) return;
    seen.add(key);
    counts[fate] += 1;
  }

  return {
    forget,
    forgetOrphans,
    result: () => ({ forgotten: counts.forgotten, left: counts.open, kept: counts.kept, orphans }),
  };
}
