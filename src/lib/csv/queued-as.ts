import type { ColumnMapping } from '../core/columns.js';
import type { OnePer } from '../core/other-columns.js';
import type { Store } from '../store/store.js';
import type { CsvSource } from './csv-source.js';
import { headerHash } from './header-hash.js';

/** Under which columns and for which CRM module a file was queued: another one gives its rows other identity keys. */
export interface QueuedAs {
  readonly columns: ColumnMapping;
  readonly module: string;
}

/** The store's `queued-as` document: how files of each header row were queued, oldest first in both lists. */
type Notes = readonly {
  readonly headers: string;
  readonly uses: readonly QueuedAs[];
  /** Of the latest queueing: one row was sent of those that share this. */
  readonly onePer?: OnePer | undefined;
}[];

/** It is small and rewritten whole. */
const MAX_HEADER_ROWS = 200;
const MAX_USES = 10;

/** How files with this header row were queued before, apart from `now`, and the time of the store's clock. */
export async function readOtherUses(
  { headers }: Pick<CsvSource, 'headers'>,
  now: QueuedAs,
  store: Pick<Store, 'document'>,
): Promise<{ readonly uses: readonly QueuedAs[]; readonly onePer: OnePer | undefined; readonly nowMs: number }> {
  const { value, nowMs } = await store.document<Notes>('queued-as').read();
  const { uses = [], onePer } = value?.find((note) => note.headers === headerHash(headers)) ?? {};
  return { uses: uses.filter((use) => !isSameUse(use, now)), onePer, nowMs };
}

/** Notes how a file is queued, before its first row is. Calling it twice is safe. */
export async function noteQueuedAs(
  source: Pick<CsvSource, 'headers'>,
  use: QueuedAs,
  onePer: OnePer | undefined,
  store: Pick<Store, 'document'>,
): Promise<void> {
  const headers = headerHash(source.headers);
  await store.document<Notes>('queued-as').change((value) => {
    const notes = value ?? [];
    const { uses = [], onePer: before } = notes.find((note) => note.headers === headers) ?? {};
    const others = uses.filter((known) => !isSameUse(known, use));
    if (others.length < uses.length && before === onePer) return undefined;
    const note = { headers, uses: [...others, use].slice(-MAX_USES), onePer };
    return [...notes.filter((known) => known.headers !== headers), note].slice(-MAX_HEADER_ROWS);
  });
}

function isSameUse(a: QueuedAs, b: QueuedAs): boolean {
  const fields = ['name', 'email', 'website', 'recordId'] as const;
  return a.module === b.module && fields.every((field) => a.columns[field] === b.columns[field]);
}
