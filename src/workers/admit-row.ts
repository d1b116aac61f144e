import { setTimeout as sleep } from 'node:timers/promises';
import { assertNever } from '../lib/core/assert-never.js';
import { canaryTaken } from '../lib/core/canary.js';
import type { Control } from '../lib/core/control.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { SentFields } from '../lib/core/ledger.js';
import type { Outcome } from '../lib/core/outcome.js';
import { INPUT_FIELDS, type InputField } from '../lib/core/row.js';
import { SPENT_CODES, spentOut } from '../lib/core/spent-out.js';
import { changeControl } from '../lib/store/change-control.js';
import type { InFlight } from '../lib/store/in-flight.js';
import type { AdmitRequest, Refusal, Store } from '../lib/store/store.js';
import type { Claims } from './claims.js';
import type { FleetControl } from './fleet-control.js';
import type { ReserveKeeper } from './keep-reserve.js';
import { mustReconcileFirst } from './must-reconcile-first.js';
import type { Timing } from './timing.js';

/** The right to send one row once. */
export interface Claim {
  readonly callId: string;
  readonly epoch: number;
  readonly sentAtMs: number;
  /** How often the row was sent, this time included. */
  readonly sends: number;
  /** What is sent: the row's fields without those that the fleet goes without, and a note for each of these. */
  readonly sent: SentFields;
  readonly notes: readonly string[];
  /** False once `sendWithinMs` have passed since the claim was asked for, when others may soon treat it as lost, or the fleet was stopped. */
  readonly mayStillSend: () => boolean;
}

export interface AdmitRowDeps {
  readonly store: Pick<Store, 'control' | 'counts' | 'uncertain'>;
  readonly claims: Claims;
  readonly control: FleetControl;
  readonly inFlight: InFlight;
  readonly timing: Timing;
  /** Aborted when this worker must start nothing new. */
  readonly shutdown: AbortSignal;
  /** Absent: nothing of the allowance is kept back. */
  readonly reserve?: Pick<ReserveKeeper, 'keep' | 'askSoon'> | undefined;
}

export type Admitted =
  | { readonly kind: 'claim'; readonly claim: Claim }
  | { readonly kind: 'outcome'; readonly outcome: Outcome };

const outcome = (value: Outcome): Admitted => ({ kind: 'outcome', outcome: value });

/**
 * Asks the store until this row may be sent or must not be. Waits here for its slot in the pace and for a permit;
 * gives up at once when the worker shuts down. A returned claim is counted in flight until `inFlight.end`.
 */
export async function admitRow(
  key: IdentityKey,
  fields: SentFields,
  deps: AdmitRowDeps,
  queued: Pick<AdmitRequest, 'refreshBeforeMs' | 'queuedAtMs'> = {},
): Promise<Admitted> {
  const { claims, control, inFlight, timing, shutdown, reserve } = deps;
  const callId = inFlight.newCallId();
  let slotMs: number | undefined;
  for (;;) {
    if (shutdown.aborted) return outcome({ kind: 'requeue', code: 'SHUTDOWN', waitMs: null });
    if (inFlight.isFull()) {
      await inFlight.waitForPermit(callId);
      continue;
    }
    const { epoch: knownEpoch, without = [] } = control.current;
    const { sent, notes, isEmpty } = leaveOut(fields, without);
    if (isEmpty) return outcome({ kind: 'discard', code: 'NO_USABLE_FIELD', message: nothingLeft(without) });
    const inTime = sendWindow(timing.sendWithinMs);
    inFlight.start(callId);
    const { limits } = inFlight;
    const { claimLostAfterMs } = timing;
    const asked = { key, sent, callId, limits, claimLostAfterMs, keep: reserve?.keep ?? 0, ...queued };
    const admission = await claims
      .admit({ ...asked, ...(slotMs === undefined ? {} : { slotMs }) })
      .catch((error: unknown) => {
        inFlight.end(callId);
        throw error;
      });
    if (admission.kind === 'go') {
      const { epoch, sentAtMs, sends } = admission;
      // Somebody has stopped or resumed since this worker last heard: the fields to leave out may be others now.
      if (epoch > knownEpoch) {
        inFlight.end(callId);
        control.observe((await claims.release(key, callId)).control);
        continue;
      }
      // A stop that this process has learned of since then holds back what has not left yet.
      const mayStillSend = () => inTime() && control.current.epoch <= epoch;
      return { kind: 'claim', claim: { callId, epoch, sentAtMs, sends, sent, notes, mayStillSend } };
    }
    if (admission.kind === 'no-permit') {
      slotMs = undefined;
      await inFlight.waitForPermit(callId);
      continue;
    }
    inFlight.end(callId);
    switch (admission.kind) {
      case 'not-yet':
        slotMs = admission.slotMs;
        await sleep(admission.waitMs, undefined, { signal: shutdown }).catch(() => undefined);
        break;
      case 'canary-open':
        if (await takeCanary(admission.control, { key, callId }, deps)) break;
        return outcome({ kind: 'requeue', code: 'RECONCILE_FIRST', waitMs: timing.shortWaitMs });
      case 'held-back':
        return outcome(await heldBack(admission, deps));
      case 'scheduled':
        return outcome({ kind: 'done', enrichmentId: admission.enrichmentId, known: true });
      case 'claimed':
        return outcome({ kind: 'snooze', code: 'PENDING', waitMs: admission.waitMs });
      case 'uncertain':
        if (admission.held) return outcome({ kind: 'discard', code: 'UNCERTAIN_HELD', message: HELD_MESSAGE });
        return outcome({ kind: 'snooze', code: 'UNCERTAIN', waitMs: timing.uncertainRecheckMs });
      default:
        return assertNever(admission);
    }
  }
}

/** Tries to make this call the canary; false when rows must be looked up before another is tried. */
async function takeCanary(
  seen: Control,
  call: { readonly key: IdentityKey; readonly callId: string },
  { store, control, timing }: AdmitRowDeps,
): Promise<boolean> {
  control.observe(seen);
  if (seen.canary?.cause === 'outage' && (await mustReconcileFirst(store))) return false;
  await changeControl(store.control, (now, nowMs) => canaryTaken(now, seen, call, nowMs, timing.canaryLeaseMs));
  return true;
}

/** Puts the row back. One that finds nothing left to spend, and nothing that may come back, stops the fleet. */
async function heldBack(
  { control: seen, reason, waitMs }: Extract<Refusal, { kind: 'held-back' }>,
  { store, control, timing, reserve }: AdmitRowDeps,
): Promise<Outcome> {
  control.observe(seen);
  switch (reason) {
    case undefined: {
      const code = seen.stop?.code ?? seen.backoffReason?.toUpperCase() ?? 'CANARY';
      return { kind: 'requeue', code, waitMs };
    }
    case 'looking':
      return { kind: 'requeue', code: 'SERVER_CHANGED', waitMs };
    case 'allowance':
      reserve?.askSoon();
      return { kind: 'requeue', code: 'ALLOWANCE_UNKNOWN', waitMs };
    case 'budget':
    case 'reserve': {
      const code = SPENT_CODES[reason];
      if (waitMs === null) {
        const after = await changeControl(store.control, (now, nowMs) =>
          spentOut(now, seen, reason, reserve?.keep ?? 0, nowMs),
        );
        control.observe(after.control);
      } else if (reason === 'reserve') reserve?.askSoon();
      return { kind: 'requeue', code, waitMs: waitMs ?? timing.shortWaitMs };
    }
    default:
      return assertNever(reason);
  }
}

const HELD_MESSAGE =
  'Zoho may or may not have accepted this row and a look-up could not tell; check it in Zoho, then run: npm run retry -- --uncertain';

function leaveOut(
  fields: SentFields,
  without: readonly InputField[],
): { readonly sent: SentFields; readonly notes: readonly string[]; readonly isEmpty: boolean } {
  const leftOut = without.filter((field) => fields[field] !== undefined);
  const sent = Object.fromEntries(Object.entries(fields).filter(([name]) => !leftOut.some((field) => field === name)));
  return {
    sent: { ...sent, module: fields.module },
    isEmpty: INPUT_FIELDS.every((field) => sent[field] === undefined),
    notes: leftOut.map((field) => `${field} left out (resume --without ${field})`),
  };
}

function nothingLeft(without: readonly InputField[]): string {
  return `The fleet goes without ${without.join(' and ')}, and the row has nothing else; resume --with ${without.join(',')}, then retry it.`;
}

/** Both clocks count: the monotonic one misses a machine's sleep, the wall clock may be set back. */
function sendWindow(lengthMs: number): () => boolean {
  const monotonic = performance.now();
  const wall = Date.now();
  return () => performance.now() - monotonic < lengthMs && Date.now() - wall < lengthMs;
}
