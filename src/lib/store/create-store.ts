import type { Control } from '../core/control.js';
import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import type { EnrichedData, LedgerEntry, SentFields } from '../core/ledger.js';
import { aliasesOf, companiesNamed, fitOf, traitsOf, traitsOfEntry } from '../core/other-columns.js';
import { echoDigests, type Orphan } from '../core/reconcile.js';
import { createErasure } from './create-erasure.js';
import { entryFields, parseEntryLine, sentText } from './entry-line.js';
import { lookUp } from './look-up.js';
import type { AdmitArgs, Operations } from './operations.js';
import {
  admissionOf,
  callAdmissionOf,
  entriesOf,
  heartbeatOf,
  orphanArgs,
  orphanOf,
  reportedOf,
  settlementOf,
} from './replies.js';
import type { AdmitRequest, CallRequest, Document, DocumentName, ImportVerdict, Store } from './store.js';

/** Entries imported in one round trip; each is fourteen arguments. */
const IMPORT_CHUNK = 250;
/** Orphans added in one round trip; each is four arguments. */
const ORPHAN_CHUNK = 500;

/**
 * The store over an engine's operations; nothing here differs between the engines. `queue` is where the rows' jobs are, as
 * the engine's scripts name it.
 */
export function createStore(operations: Operations, queue: string): Store {
  return {
    ...claimSteps(operations),
    ...ledgerReads(operations),
    ...resultSteps(operations),
    ...ledgerInBulk(operations),
    ...createErasure(operations, queue),
    ...fleetSteps(operations),
    connections: operations.connections,
    control: createCell<Control>(operations, 'control'),
    document: (name) => createCell(operations, name),
  };
}

/** The way of one row: from the claim to what came of it. */
function claimSteps(operations: Operations) {
  const run = operations.run.bind(operations);
  return {
    admit: async (request) => {
      let rivals: Rivals = { fits: [], others: [] };
      for (;;) {
        const [kind, ...reply] = await run('admit', [JSON.stringify(admitArgs(request, rivals))]);
        if (kind !== 'rivals') return admissionOf([kind ?? '', ...reply]);
        const keys = [...rivals.fits, ...rivals.others, ...(reply as IdentityKey[])]; // keys of entries
        rivals = rivalsOf(request, keys, await entriesAt(operations, keys));
      }
    },
    admitCall: async (request) =>
      callAdmissionOf(await run('admit-call', [request.callId, ...limitsOf(request), slotOf(request)])),
    finishCall: async (callId) => {
      await run('finish-call', [callId]);
    },

    settle: async (key, callId, enrichmentId, notes = [], workerId = '') =>
      settlementOf(
        await run('settle', [key, callId, enrichmentId, notes.length === 0 ? '' : JSON.stringify(notes), workerId]),
      ),
    release: async (key, callId) => reportedOf(await run('release', [key, callId])),
    markUncertain: async (key, callId, reason) =>
      reportedOf(await run('mark-uncertain', [key, callId, oneLine(reason)])),

    clear: async (key, callId) => (await run('clear', [key, callId]))[0] === '1',
    reopen: async (key, enrichmentId) => (await run('reopen', [key, enrichmentId]))[0] === '1',
    hold: async (key, callId, reason) => (await run('hold', [key, callId, oneLine(reason)]))[0] === '1',
    expireClaims: async (claimLostAfterMs, limit) =>
      (await run('expire-claims', [String(claimLostAfterMs), String(limit)])) as readonly IdentityKey[],
  } satisfies Partial<Store>;
}

/** What the ledger knows. */
function ledgerReads(operations: Operations) {
  const run = operations.run.bind(operations);
  return {
    uncertain: async ({ held, limit }) => entriesOf(await run('uncertain', [held ? '1' : '0', String(limit)])),
    sending: async (limit) => entriesOf(await run('sending', [String(limit)])),
    owners: async (ids) => {
      const owners = new Map<EnrichmentId, IdentityKey>();
      for await (const [id, key] of lookUp(operations, 'owners', ids)) owners.set(id, key as IdentityKey);
      return owners;
    },
    aliasOwners: async (aliases) => {
      const owners = new Map<string, readonly IdentityKey[]>();
      for await (const [alias, keys] of lookUp(operations, 'alias-owners', aliases)) {
        owners.set(alias, keys.split(' ') as IdentityKey[]); // what the index was given
      }
      return owners;
    },
    entries: (keys) => entriesAt(operations, keys),
    counts: async () => {
      const reply = (await run('counts', [])).map(Number);
      const [scheduled = 0, sending = 0, uncertain = 0, held = 0, pending = 0, failed = 0, orphans = 0] = reply;
      return { scheduled, sending, uncertain, held, pending, failed, orphans };
    },
    spending: async (atLeast) => {
      const [spent = 0, open = 0, held = 0, nowMs = 0] = (await run('spending', [text(atLeast)])).map(Number);
      return { spent, open, held, nowMs };
    },
  } satisfies Partial<Store>;
}

/** Results of submitted rows, and the rows that lack theirs. */
function resultSteps(operations: Operations) {
  const run = operations.run.bind(operations);
  return {
    pending: async ({ sinceMs = 0, limit }) => entriesOf(await run('pending', [String(sinceMs), String(limit)])),
    markTaken: async (key, callId) => (await run('mark-taken', [key, callId]))[0] === '1',
    list: async (index, { offset, limit }) => {
      const [total = '0', ...page] = await run('list', [index, String(offset), String(limit)]);
      return { total: Number(total), entries: entriesOf(page) };
    },
    search: async (text, cursor, count) => {
      // Lua and the embedded engine know of the case of ASCII letters only.
      const wanted = text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
      const [next = '', ...page] = await run('search', [wanted, cursor ?? '0', String(count)]);
      return { cursor: next === '' ? null : next, entries: entriesOf(page) };
    },
    failed: async (limit) => entriesOf(await run('failed', [String(limit)])),
    finish: async (key, status, data, enrichmentId = '' as EnrichmentId) =>
      (await run('finish', [key, status, data === null ? '' : JSON.stringify(data), enrichmentId]))[0] === '1',
    results: async (keys) => {
      const results = new Map<IdentityKey, EnrichedData>();
      for await (const [key, json] of lookUp(operations, 'results', keys)) {
        const data = resultOf(json);
        if (data !== null) results.set(key, data);
      }
      return results;
    },
  } satisfies Partial<Store>;
}

/** The whole ledger, and what was paid for that no entry has. */
function ledgerInBulk(operations: Operations) {
  const run = operations.run.bind(operations);
  return {
    scanLedger: async (cursor, count) => {
      const [next = '', ...page] = await run('scan', [cursor ?? '', String(count)]);
      return { cursor: next === '' ? null : next, entries: entriesOf(page) };
    },
    importEntries: async (entries, results) => {
      const verdicts = new Map<IdentityKey, ImportVerdict>();
      const all = [...entries];
      for (let at = 0; at < all.length; at += IMPORT_CHUNK) {
        const chunk = all.slice(at, at + IMPORT_CHUNK);
        const args = chunk.flatMap(([key, entry]) => {
          const data = results.get(key);
          return [
            key,
            ...entryFields(entry),
            data === undefined ? '' : JSON.stringify(data),
            aliasesOf(traitsOfEntry(entry)).join(' '),
          ];
        });
        const reply = await run('import', args);
        // One verdict an entry, by the script.
        for (const [index, [key]] of chunk.entries()) verdicts.set(key, reply[index] as ImportVerdict);
      }
      return verdicts;
    },

    addOrphans: async (orphans, held) => {
      let added = 0;
      for (let at = 0; at < orphans.length; at += ORPHAN_CHUNK) {
        const args = orphans.slice(at, at + ORPHAN_CHUNK).flatMap(orphanArgs);
        added += Number((await run('add-orphans', [held ? '1' : '0', ...args]))[0]);
      }
      return added;
    },
    orphans: async (ids) => {
      const orphans = new Map<EnrichmentId, Orphan>();
      for await (const [id, fields] of lookUp(operations, 'orphans', ids)) orphans.set(id, orphanOf(id, fields));
      return orphans;
    },
  } satisfies Partial<Store>;
}

/** Workers that live. */
function fleetSteps(operations: Operations) {
  const run = operations.run.bind(operations);
  return {
    heartbeat: async (workerId, callIds, leaseMs, mark) => {
      const marks = mark
        ? [
            String(mark.number),
            flag(mark.raise),
            flag(mark.steady),
            mark.zohoNowMs === null ? '' : String(mark.zohoNowMs),
          ]
        : ['', '', '', ''];
      return heartbeatOf(await run('heartbeat', [workerId, String(leaseMs), ...marks, ...callIds]));
    },
    leave: async (workerId) => {
      const [workers = 0, claims = 0] = (await run('leave', [workerId])).map(Number);
      return { workers, claims };
    },
    fleetStats: async () => {
      const [workers = 0, inFlight = 0, withData = 0] = (await run('fleet-stats', [])).map(Number);
      return { workers, inFlight, withData };
    },
  } satisfies Partial<Store>;
}

async function entriesAt(
  operations: Operations,
  keys: readonly IdentityKey[],
): Promise<ReadonlyMap<IdentityKey, LedgerEntry>> {
  const entries = new Map<IdentityKey, LedgerEntry>();
  for await (const [key, line] of lookUp(operations, 'entries', keys)) entries.set(key, parseEntryLine(line));
  return entries;
}

/** Only `finish` writes these. One that was damaged is as none: it must not keep the others from being read. */
function resultOf(json: string): EnrichedData | null {
  try {
    return JSON.parse(json) as EnrichedData;
  } catch {
    return null;
  }
}

/** Entries that share an alias with a row: those that stand for it, and those that do not. */
interface Rivals {
  readonly fits: readonly IdentityKey[];
  readonly others: readonly IdentityKey[];
}

/** One that is gone, or was given back, may come again, and fits until then. */
function rivalsOf(
  { sent, queuedAtMs }: AdmitRequest,
  keys: readonly IdentityKey[],
  entries: ReadonlyMap<IdentityKey, LedgerEntry>,
): Rivals {
  const own = traitsOf(sent);
  const fitting = keys.flatMap((key) => {
    const entry = entries.get(key);
    if (entry === undefined) return [{ key, fit: 'sure' as const, traits: own }];
    const traits = traitsOfEntry(entry);
    return entry.queuedAtMs === queuedAtMs ? [] : [{ key, fit: fitOf(own, traits), traits }];
  });
  const isOfSeveral = companiesNamed(fitting) > 1;
  const fits = fitting.flatMap(({ key, fit }) => (fit === 'sure' || (fit === 'name' && !isOfSeveral) ? [key] : []));
  return { fits, others: keys.filter((key) => !fits.includes(key)) };
}

function admitArgs(request: AdmitRequest, { fits, others }: Rivals): AdmitArgs {
  const { key, callId, sent, queuedAtMs, limits, slotMs = null, worker, keep = 0 } = request;
  const { module, recordId } = sent;
  return {
    key,
    callId,
    sent: sentText(sent, { queuedAtMs }),
    place: sentText({ module, ...(recordId !== undefined && { recordId }) }, { queuedAtMs }),
    choice: recordId !== undefined,
    digests: echoDigests(sent),
    aliases: aliasText(sent),
    callsPerSecond: limits.callsPerSecond,
    maxInFlight: limits.maxInFlight,
    leaseMs: limits.permitTtlMs,
    lostAfterMs: request.claimLostAfterMs,
    slotMs,
    keep,
    refreshBefore: request.refreshBeforeMs ?? null,
    mayBeKnown: queuedAtMs !== undefined,
    fits: fits.join(' '),
    others: others.join(' '),
    worker: worker?.id ?? '',
    number: worker?.number ?? 0,
  };
}

const flag = (value: boolean) => (value ? '1' : '0');

function limitsOf({ limits }: CallRequest): string[] {
  return [String(limits.callsPerSecond), String(limits.maxInFlight), String(limits.permitTtlMs)];
}

function slotOf({ slotMs }: CallRequest): string {
  return text(slotMs);
}

const text = (value: number | undefined) => (value === undefined ? '' : String(value));

function aliasText(sent: SentFields): string {
  return aliasesOf(traitsOf(sent)).join(' ');
}

/** Entries are kept a field a line. */
function oneLine(reason: string): string {
  return reason.replaceAll(/[\s\p{Cc}]+/gu, ' ');
}

function createCell<T>(operations: Operations, name: DocumentName): Document<T> {
  // Each document is written by the one module that owns its type.
  const parse = (json = ''): T | null => (json === '' ? null : (JSON.parse(json) as T));

  async function read() {
    const [json = '', nowMs] = await operations.run('read-document', [name]);
    return { json, nowMs: Number(nowMs) };
  }

  return {
    read: async () => {
      const { json, nowMs } = await read();
      return { value: parse(json), nowMs };
    },
    change: async (next) => {
      let seen = await read();
      for (;;) {
        const value = parse(seen.json);
        const changed = next(value, seen.nowMs);
        if (changed === undefined) return { value, nowMs: seen.nowMs, changed: false };
        const [won, json = '', nowMs] = await operations.run('change-document', [
          name,
          seen.json,
          JSON.stringify(changed),
        ]);
        if (won === '1') return { value: changed, nowMs: Number(nowMs), changed: true };
        seen = { json, nowMs: Number(nowMs) };
      }
    },
  };
}
