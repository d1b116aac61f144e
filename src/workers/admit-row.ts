import { setTimeout as sleep } from 'node:timers/promises';
import { assertNever } from '../lib/core/assert-never.js';
import { canaryTaken } from '../lib/core/control.js';
import type { IdentityKey } from '../lib/core/ids.js';
import type { SentFields } from '../lib/core/ledger.js';
import type { Outcome } from '../lib/core/outcome.js';
import { INPUT_FIELDS, type InputField } from '../lib/core/row.js';
import { SPENT_CODES, spentOut } from '../lib/core/spent-out.js';
import { changeControl } from '../lib/store/change-control.js';
import type { Refusal, Store } from '../lib/store/store.js';
import type { Fleet } from './fleet.js';
import type { ReserveKeeper } from './keep-reserve.js';
import { mustReconcileFirst } from './must-reconcile-first.js';

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
  readonly store: Store;
  readonly fleet: Fleet;
  /** Absent: nothing of the allowance is kept back. */
  readonly reserve?: Pick<ReserveKeeper, 'keep' | 'askSoon'> | undefined;
}

export type Admitted =
  | { readonly kind: 'claim'; readonly claim: Claim }
  | { readonly kind: 'outcome'; readonly outcome: Outcome };

const outcome = (value: Outcome): Admitted => ({ kind: 'outcome', outcome: value });

/**
 * Asks the store until this row may be sent or must not be. Waits here for its slot in the pace and for a permit;
 * gives up at once when the worker shuts down. A returned claim is counted in flight until `fleet.callEnded`.
 */
export async function admitRow(
  key: IdentityKey,
  fields: SentFields,
  { store, fleet, reserve }: AdmitRowDeps,
  refreshBeforeMs?: number,
): Promise<Admitted> {
  const callId = fleet.nextCallId();
  let slotMs: number | undefined;
  for (;;) {
    if (fleet.shutdown.aborted) return outcome({ kind: 'requeue', code: 'SHUTDOWN', waitMs: null });
    if (fleet.isFull()) {
      await fleet.waitForPermit(callId);
      continue;
    }
    const { epoch: knownEpoch, without = [] } = fleet.control;
    const { sent, notes } = leaveOut(fields, without);
    if (!INPUT_FIELDS.some((field) => sent[field] !== undefined)) {
      return outcome({ kind: 'discard', code: 'NO_USABLE_FIELD', message: nothingLeft(without) });
    }
    const inTime = sendWindow(fleet.timing.sendWithinMs);
    fleet.callStarted(callId);
    const admission = await store
      .admit({
        key,
        sent,
        callId,
        limits: fleet.limits,
        claimLostAfterMs: fleet.timing.claimLostAfterMs,
        keep: reserve?.keep ?? 0,
        refreshBeforeMs,
        ...(slotMs === undefined ? {} : { slotMs }),
      })
      .catch((error: unknown) => {
        fleet.callEnded(callId);
        throw error;
      });
    if (admission.kind === 'go') {
      const { epoch, sentAtMs, sends } = admission;
      // Somebody has stopped or resumed since this worker last heard: the fields to leave out may be others now.
      if (epoch > knownEpoch) {
        fleet.callEnded(callId);
        fleet.observe((await store.release(key, callId)).control);
        continue;
      }
      // A stop that this process has learned of since then holds back what has not left yet.
      const mayStillSend = () => inTime() && fleet.control.epoch <= epoch;
      return { kind: 'claim', claim: { callId, epoch, sentAtMs, sends, sent, notes, mayStillSend } };
    }
    if (admission.kind === 'no-permit') {
      slotMs = undefined;
      await fleet.waitForPermit(callId);
      continue;
    }
    fleet.callEnded(callId);
    switch (admission.kind) {
      case 'not-yet':
        slotMs = admission.slotMs;
        await sleep(admission.waitMs, undefined, { signal: fleet.shutdown }).catch(() => undefined);
        break;
      case 'canary-open': {
        const { control: seen } = admission;
        fleet.observe(seen);
        if (seen.canary?.cause === 'outage' && (await mustReconcileFirst(store))) {
          return outcome({ kind: 'requeue', code: 'RECONCILE_FIRST', waitMs: fleet.timing.shortWaitMs });
        }
        await changeControl(store.control, (control, nowMs) =>
          canaryTaken(control, seen, { key, callId }, nowMs, fleet.timing.canaryLeaseMs),
        );
        break;
      }
      case 'held-back':
        return outcome(await heldBack(admission, { store, fleet, reserve }));
      case 'scheduled':
        return outcome({ kind: 'done', enrichmentId: admission.enrichmentId, known: true });
      case 'claimed':
        return outcome({ kind: 'snooze', code: 'PENDING', waitMs: admission.waitMs });
      case 'uncertain':
        return admission.held
          ? outcome({ kind: 'discard', code: 'UNCERTAIN_HELD', message: HELD_MESSAGE })
          : outcome({ kind: 'snooze', code: 'UNCERTAIN', waitMs: fleet.timing.uncertainRecheckMs });
      default:
        return assertNever(admission);
    }
  }
}

/** Puts the row back. One that finds nothing left to spend, and nothing that may come back, stops the fleet. */
async function heldBack(
  { control, reason, waitMs }: Extract<Refusal, { kind: 'held-back' }>,
  { store, fleet, reserve }: AdmitRowDeps,
): Promise<Outcome> {
  fleet.observe(control);
  switch (reason) {
    case undefined: {
      const code = control.stop?.code ?? control.backoffReason?.toUpperCase() ?? 'CANARY';
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
          spentOut(now, control, reason, reserve?.keep ?? 0, nowMs),
        );
        fleet.observe(after.control);
      } else if (reason === 'reserve') reserve?.askSoon();
      return { kind: 'requeue', code, waitMs: waitMs ?? fleet.timing.shortWaitMs };
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
): { readonly sent: SentFields; readonly notes: readonly string[] } {
  const leftOut = without.filter((field) => fields[field] !== undefined);
  const sent = Object.fromEntries(Object.entries(fields).filter(([name]) => !leftOut.some((field) => field === name)));
  return {
    sent: { ...sent, module: fields.module },
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
