import { type Control, INITIAL_CONTROL } from '../core/control.js';
import type { History } from '../core/history.js';
import type { EnrichmentId, IdentityKey } from '../core/ids.js';
import type { LedgerEntry } from '../core/ledger.js';
import { type Echo, echoDigests, echoFields, type Orphan } from '../core/reconcile.js';
import { HOLD_REASONS, type HoldReason } from './admission.js';
import { parseEntryLine } from './entry-line.js';
import type { Reply } from './operations.js';
import type { Admission, CallAdmission, Heartbeat, Refusal, Reported, Settlement } from './store.js';

/** The control state of a reply: the empty string is a store that was never told anything. */
export function controlOf(json = ''): Control {
  // Only `Store.control` writes this document, and it is typed.
  return json === '' ? INITIAL_CONTROL : (JSON.parse(json) as Control);
}

export function admissionOf(reply: Reply): Admission {
  const [kind, first = '', second = '', third = '', fourth, fifth] = reply;
  switch (kind) {
    case 'go':
      return {
        kind,
        epoch: Number(first),
        sentAtMs: Number(second),
        sends: Number(third),
        number: Number(fourth),
        spent: Number(fifth),
      };
    case 'canary-open':
      return { kind, control: controlOf(first) };
    case 'scheduled':
      return { kind, enrichmentId: first as EnrichmentId };
    case 'claimed':
      return { kind, waitMs: Number(first) };
    case 'uncertain':
      return { kind, held: first === '1' };
    default:
      return refusalOf(reply);
  }
}

export function callAdmissionOf(reply: Reply): CallAdmission {
  return reply[0] === 'go' ? { kind: 'go' } : refusalOf(reply);
}

function refusalOf([kind, first = '', second = '', third]: Reply): Refusal {
  switch (kind) {
    case 'not-yet':
      return { kind, waitMs: Number(first), slotMs: Number(second) };
    case 'no-permit':
      return { kind };
    case 'held-back':
      return {
        kind,
        control: controlOf(first),
        waitMs: second === '' ? null : Number(second),
        ...(isReason(third) && { reason: third }),
      };
    default:
      throw new Error(`The store answered an admission with ${String(kind)}, which this version does not know.`);
  }
}

function isReason(word: string | undefined): word is HoldReason {
  return HOLD_REASONS.some((reason) => reason === word);
}

export function reportedOf([control, nowMs]: Reply): Reported {
  return { control: controlOf(control), nowMs: Number(nowMs) };
}

export function settlementOf(reply: Reply): Settlement {
  const [, , kind, key, id] = reply;
  if (kind === 'settled') return { ...reportedOf(reply), kind, number: Number(key) };
  return {
    ...reportedOf(reply),
    kind: 'conflict',
    key: key as IdentityKey,
    enrichmentId: id as EnrichmentId,
  };
}

/** Key, entry line, key, entry line, … in that order. */
export function entriesOf(reply: Reply): ReadonlyMap<IdentityKey, LedgerEntry> {
  const entries = new Map<IdentityKey, LedgerEntry>();
  for (let at = 0; at + 1 < reply.length; at += 2) {
    entries.set(reply[at] as IdentityKey, parseEntryLine(reply[at + 1] ?? ''));
  }
  return entries;
}

export function heartbeatOf(reply: Reply): Heartbeat {
  const [, , number, server = '', history = '', alive = '', ...workers] = reply;
  const [storeMs, zohoMs] = alive.split(' ');
  return {
    ...reportedOf(reply),
    number: Number(number),
    server,
    // Only core/history.ts makes this document.
    history: history === '' ? null : (JSON.parse(history) as History),
    alive: storeMs ? { storeMs: Number(storeMs), zohoMs: zohoMs ? Number(zohoMs) : null } : null,
    workers,
  };
}

/** The four arguments of an orphan. Absent fields of its echo are left out, so that it reads as fields sent. */
export function orphanArgs({ id, createdAtMs, echo }: Orphan): readonly string[] {
  return [id, String(Math.floor(createdAtMs)), echoDigests(echo), JSON.stringify(echoFields(echo))];
}

export function orphanOf(id: EnrichmentId, fields: string): Orphan {
  const [createdAt, , , , echo = '{}'] = fields.split('\n');
  // Written by `orphanArgs`.
  return { id, createdAtMs: Number(createdAt), echo: JSON.parse(echo) as Echo };
}
