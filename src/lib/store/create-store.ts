import type { Control } from '../core/control.js';
import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import type { LedgerEntry, SentFields } from '../core/ledger.js';
import { aliasesOf, companiesNamed, fitOf, traitsOf, traitsOfEntry } from '../core/other-columns.js';
import { echoDigests } from '../core/reconcile.js';
import { createErasure } from './create-erasure.js';
import { createDocument } from './document.js';
import { sentText } from './entry-line.js';
import { ledgerInBulk } from './ledger-in-bulk.js';
import type { AdmitArgs, Operations } from './operations.js';
import { entriesAt, ledgerReads, resultReads } from './read-ledger.js';
import { admissionOf, callAdmissionOf, heartbeatOf, reportedOf, settlementOf } from './replies.js';
import type { AdmitRequest, CallRequest, Store } from './store.js';

/**
 * The store over an engine's operations; nothing here differs between the engines. `queue` is where the rows' jobs are, as
 * the engine's scripts name it.
 */
export function createStore(operations: Operations, queue: string): Store {
  return {
    ...claimSteps(operations),
    ...ledgerReads(operations),
    ...resultReads(operations),
    ...ledgerInBulk(operations),
    ...createErasure(operations, queue),
    ...fleetSteps(operations),
    connections: operations.connections,
    control: createDocument<Control>(operations, 'control'),
    document: (name) => createDocument(operations, name),
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
    admitCall: async (request) => callAdmissionOf(await run('admit-call', [request.callId, ...limitsOf(request)])),
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

    markTaken: async (key, callId) => (await run('mark-taken', [key, callId]))[0] === '1',
    finish: async (key, status, data, enrichmentId = '' as EnrichmentId) =>
      (await run('finish', [key, status, data === null ? '' : JSON.stringify(data), enrichmentId]))[0] === '1',

    clear: async (key, callId) => (await run('clear', [key, callId]))[0] === '1',
    reopen: async (key, enrichmentId) => (await run('reopen', [key, enrichmentId]))[0] === '1',
    hold: async (key, callId, reason) => (await run('hold', [key, callId, oneLine(reason)]))[0] === '1',
    expireClaims: async (claimLostAfterMs, limit) =>
      (await run('expire-claims', [String(claimLostAfterMs), String(limit)])) as readonly IdentityKey[],
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

function limitsOf({ limits, slotMs }: CallRequest): string[] {
  const { callsPerSecond, maxInFlight, permitTtlMs } = limits;
  return [callsPerSecond, maxInFlight, permitTtlMs, slotMs ?? ''].map(String);
}

function aliasText(sent: SentFields): string {
  return aliasesOf(traitsOf(sent)).join(' ');
}

/** Entries are kept a field a line. */
function oneLine(reason: string): string {
  return reason.replaceAll(/[\s\p{Cc}]+/gu, ' ');
}
