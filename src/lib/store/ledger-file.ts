import * as z from 'zod';
import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import { type EnrichedData, FINAL_STATUSES, type LedgerEntry } from '../core/ledger.js';
import { UsageError } from '../errors.js';
import type { ImportVerdict, Store } from './store.js';

/**
 * A ledger as text, one JSON document a line: what it is, the entries, and how many they were, so that a file that was cut
 * short is known. Wire contract: add fields, never change one; `version` changes when an older program must not read it.
 */
const VERSION = 1;
const PAGE = 500;

/** The Zoho account a store belongs to. */
export interface LedgerAccount {
  readonly apiDomain: string;
  readonly clientId: string;
}

export interface ImportReport {
  readonly entries: number;
  /** Rows that were not in this ledger. */
  readonly added: number;
  /** Rows of which the file knows more. */
  readonly stronger: number;
  /** Rows of which this ledger knows as much or more. */
  readonly known: number;
  /** Rows with another enrichment here than in the file: this ledger's is kept. */
  readonly conflicts: number;
  /** Rows that were forgotten here: they stay so. */
  readonly forgotten: number;
}

/**
 * The lines of a ledger's export, each with its line end. Entries that change meanwhile come as they were or as they are.
 * Those that cannot be read come as held, and `onUnreadable` is told their keys.
 */
export async function* ledgerLines(
  store: Pick<Store, 'scanLedger' | 'results'>,
  account: LedgerAccount | null,
  exportedAt: Date,
  onUnreadable: (key: IdentityKey) => void = () => undefined,
): AsyncGenerator<string> {
  yield line({ ledger: 'zia-bulk-enrich', version: VERSION, account, exportedAt: exportedAt.toISOString() });
  let entries = 0;
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof store.scanLedger>> = await store.scanLedger(cursor, PAGE);
    const results = await store.results([...page.entries.keys()]);
    let text = '';
    for (const [key, entry] of page.entries) {
      if (entry.reason === 'UNREADABLE_ENTRY') onUnreadable(key);
      text += line({ key, ...entry, result: results.get(key) });
    }
    if (text !== '') yield text;
    entries += page.entries.size;
    cursor = page.cursor;
  } while (cursor !== null);
  yield line({ end: true, entries });
}

const line = (document: object): string => `${JSON.stringify(document)}\n`;

/**
 * Takes the entries of an export over. Throws UsageError when it is no export, of another version, of another account than
 * `account`, damaged, or cut short; what was read until then is imported, and importing again is safe. `checkAccount` gets
 * the account of the file before anything is imported.
 */
export async function importLedger(
  store: Pick<Store, 'importEntries'>,
  lines: AsyncIterable<string>,
  {
    checkAccount,
    onProgress,
  }: {
    readonly checkAccount: (account: LedgerAccount | null) => Promise<void>;
    readonly onProgress?: (entries: number) => void;
  },
): Promise<ImportReport> {
  const tally: Record<ImportVerdict, number> = { added: 0, stronger: 0, known: 0, conflict: 0, forgotten: 0 };
  let read = 0;
  let lineNumber = 0;
  let end: number | null = null;
  let page = new Map<IdentityKey, ImportedEntry>();

  async function flush(): Promise<void> {
    const entries = new Map([...page].map(([key, { entry }]) => [key, entry]));
    const results = new Map([...page].flatMap(([key, { result }]) => (result === undefined ? [] : [[key, result]])));
    page = new Map();
    for (const verdict of (await store.importEntries(entries, results)).values()) tally[verdict] += 1;
    onProgress?.(read);
  }

  for await (const text of lines) {
    lineNumber += 1;
    if (text.trim() === '') continue;
    const document = parseJson(text, lineNumber);
    if (lineNumber === 1) {
      await checkAccount(headerOf(document));
      continue;
    }
    if (end !== null) throw damaged(lineNumber);
    end = endOf(document);
    if (end !== null) continue;
    const { key, ...imported } = entryOf(document, lineNumber);
    read += 1;
    page.set(key, imported);
    if (page.size >= PAGE) await flush();
  }
  await flush();
  if (lineNumber === 0) throw notALedger();
  if (end !== read) {
    throw new UsageError(
      'LEDGER_CUT_SHORT',
      `The ledger file ends early: ${read} entries were read and imported${end === null ? '' : ` of ${end}`}; export it again and import that, which is safe.`,
    );
  }
  const { conflict: conflicts, ...others } = tally;
  return { entries: read, ...others, conflicts };
}

interface ImportedEntry {
  readonly entry: LedgerEntry;
  readonly result: EnrichedData | undefined;
}

const HEADER = z.object({
  ledger: z.literal('zia-bulk-enrich'),
  version: z.number(),
  account: z.object({ apiDomain: z.string(), clientId: z.string() }).nullable(),
});

const END = z.object({ end: z.literal(true), entries: z.number().int() });

const text = z.string();
const time = z.number().int().nonnegative();

const ENTRY = z
  .object({
    key: text.regex(/^r\d{1,2}[\w-]{10,80}$/),
    state: z.enum(['sending', 'uncertain', 'held', 'cleared', 'scheduled']),
    callId: text.regex(/^[^\n]*$/),
    sentAtMs: time,
    sends: z.number().int().positive(),
    sent: z.object({
      module: text,
      recordId: text.optional(),
      name: text.optional(),
      email: text.optional(),
      website: text.optional(),
    }),
    traits: z.object({ name: text, website: text, recordId: text }).optional(),
    enrichmentId: text
      .regex(/^\d{1,19}$/)
      .transform((id) => id as EnrichmentId) // of the form just tested
      .optional(),
    scheduledAtMs: time.optional(),
    reason: text.regex(/^[^\n]*$/).optional(),
    notes: z.array(text).optional(),
    finalStatus: z.enum(FINAL_STATUSES).optional(),
    finishedAtMs: time.optional(),
    result: z.record(text, z.unknown()).optional(),
  })
  .refine(({ state, enrichmentId, scheduledAtMs }) => {
    return (state === 'scheduled') === (enrichmentId !== undefined && scheduledAtMs !== undefined);
  });

function headerOf(document: unknown): LedgerAccount | null {
  const header = HEADER.safeParse(document);
  if (!header.success) throw notALedger();
  if (header.data.version === VERSION) return header.data.account;
  throw new UsageError(
    'LEDGER_VERSION',
    `The ledger file has version ${header.data.version}, and this program reads version ${VERSION}; use the version of the program that wrote it.`,
  );
}

function endOf(document: unknown): number | null {
  const end = END.safeParse(document);
  return end.success ? end.data.entries : null;
}

/** A claim belongs to a worker of the store it comes from: whether its row was accepted is not known here. */
function entryOf(document: unknown, lineNumber: number): ImportedEntry & { readonly key: IdentityKey } {
  const parsed = ENTRY.safeParse(document);
  if (!parsed.success) throw damaged(lineNumber);
  const { key, result, state, ...rest } = parsed.data;
  const claimed = state === 'sending';
  // Optional fields of parsed JSON are absent rather than undefined, which the schema's type cannot say.
  const entry = {
    ...rest,
    state: claimed ? 'uncertain' : state,
    ...(claimed && { reason: 'IMPORTED' }),
  } as LedgerEntry;
  return { key: key as IdentityKey, entry, result };
}

function parseJson(text: string, lineNumber: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw lineNumber === 1 ? notALedger() : damaged(lineNumber);
  }
}

function notALedger(): UsageError {
  return new UsageError('NOT_A_LEDGER', 'This is no ledger: give the file that `npm run ledger export` wrote.');
}

function damaged(lineNumber: number): UsageError {
  return new UsageError(
    'LEDGER_DAMAGED',
    `Line ${lineNumber} of the ledger file cannot be read; the lines before it are imported. Export it again and import that, which is safe.`,
  );
}
