import { type BackoffPolicy, backoffMs } from './backoff.js';
import { isCanary, passCounted, passUncounted } from './canary.js';
import { type Control, isHeld, NO_STREAKS, openCanary, type StopReason, stopped } from './control.js';

/** What the answer to one submission says about the fleet. */
export type FleetEvent =
  | { readonly kind: 'accepted' }
  /** The row's own fault: Zoho is there and the account is in order. */
  | { readonly kind: 'row-refused'; readonly code: string; readonly isRecordId: boolean }
  | { readonly kind: 'stop'; readonly code: string; readonly message: string }
  | { readonly kind: 'throttled'; readonly code: string; readonly retryAfterMs: number | null }
  /** Never sent, or sent and lost: Zoho is away. */
  | { readonly kind: 'outage'; readonly code: string }
  | { readonly kind: 'unreadable'; readonly code: string }
  | { readonly kind: 'unknown'; readonly code: string }
  /** Nothing was sent and nothing is known: the worker shut down, or the claim ran out of time. */
  | { readonly kind: 'unsent' };

/** The call an event belongs to. */
export interface FleetCall {
  readonly epoch: number;
  readonly callId: string;
  readonly key: string;
  readonly line: number | null;
  readonly sentAtMs: number;
}

export interface FleetPolicy {
  /** The configured number of calls in flight. */
  readonly maxInFlight: number;
  readonly backoff: BackoffPolicy;
}

const OUTAGES_THAT_OPEN_THE_BREAKER = 3;
const UNKNOWN_ANSWERS_THAT_STOP = 3;
const UNREADABLE_ANSWERS_THAT_STOP = 2;
const RECORD_IDS_THAT_STOP = 10;
/** A throttled fleet gets one call in flight back per this time of sending without being throttled. */
const RAISE_EVERY_MS = 2_000;

/** The control state after an answer. `random` in [0, 1) spreads the waits. */
export function afterAnswer(
  control: Control,
  event: FleetEvent,
  call: FleetCall,
  policy: FleetPolicy,
  nowMs: number,
  random: number,
): Control {
  if (call.epoch !== control.epoch || control.mode === 'stopped') return control;
  switch (event.kind) {
    case 'accepted':
      return afterAccepted(control, policy, nowMs);
    case 'stop':
      return stopped(control, { ...reasonOf(event, call), sinceMs: nowMs });
    case 'throttled':
      return passUncounted(throttled(control, event.retryAfterMs, call, policy, nowMs, random), call);
    case 'unsent':
      return passUncounted(control, call);
    case 'row-refused':
      return afterRowRefused(control, event, call, nowMs);
    case 'outage':
      return afterOutage(control, event.code, call, policy, nowMs, random);
    case 'unreadable':
      return afterStreak(control, 'unreadable', UNREADABLE_ANSWERS_THAT_STOP, event.code, call, nowMs);
    case 'unknown':
      return afterStreak(control, 'unknown', UNKNOWN_ANSWERS_THAT_STOP, event.code, call, nowMs);
  }
}

function afterAccepted(control: Control, policy: FleetPolicy, nowMs: number): Control {
  // Nothing is admitted while the fleet is held: the call was admitted before the throttle had been written down.
  if (control.backoffReason === 'throttled' && isHeld(control, nowMs)) return control;
  const raised = raiseInFlight(control, policy, nowMs);
  if (raised.mode === 'running' && hasNoStreaks(raised)) return raised;
  return {
    ...raised,
    mode: 'running',
    stop: null,
    canary: null,
    backoffUntilMs: 0,
    backoffReason: null,
    streaks: NO_STREAKS,
  };
}

function afterRowRefused(
  before: Control,
  { code, isRecordId }: { readonly code: string; readonly isRecordId: boolean },
  call: FleetCall,
  nowMs: number,
): Control {
  const recordId = (before.streaks.recordId ?? 0) + 1;
  if (isRecordId && recordId >= RECORD_IDS_THAT_STOP) {
    const message = `Zoho knew none of ${recordId} record ids in a row; check the module (ZIA_MODULE) and the column of record ids, queue the file again with the right ones, then resume.`;
    return stopped(before, { code: 'RECORD_IDS_REFUSED', message, ...rowOf(call), sinceMs: nowMs });
  }
  const control = isRecordId ? { ...before, streaks: { ...before.streaks, recordId } } : before;
  if (control.mode === 'canary' && control.canary?.cause === 'outage') return outageOver(control);
  if (isCanary(control, call)) return passCounted(control, code, nowMs);
  if (control.streaks.outage === 0) return control;
  return { ...control, streaks: { ...control.streaks, outage: 0 } };
}

function afterOutage(
  control: Control,
  code: string,
  call: FleetCall,
  policy: FleetPolicy,
  nowMs: number,
  random: number,
): Control {
  // Once the breaker is open only the canary's answer is news; the others left before it opened.
  if (control.mode === 'canary' && !isCanary(control, call)) return control;
  const outage = control.streaks.outage + 1;
  const counted = { ...control, streaks: { ...control.streaks, outage } };
  if (control.mode === 'running' && outage < OUTAGES_THAT_OPEN_THE_BREAKER) return counted;
  const waitMs = backoffMs(Math.max(1, outage - OUTAGES_THAT_OPEN_THE_BREAKER + 1), policy.backoff, random);
  const held: Control = { ...counted, backoffUntilMs: nowMs + waitMs, backoffReason: 'outage', backoffSinceMs: nowMs };
  if (control.canary?.cause === 'resume') return passCounted(held, code, nowMs);
  return { ...held, mode: 'canary', canary: openCanary('outage', (control.canary?.passes ?? -1) + 1) };
}

function afterStreak(
  control: Control,
  name: 'unknown' | 'unreadable',
  limit: number,
  code: string,
  call: FleetCall,
  nowMs: number,
): Control {
  const count = control.streaks[name] + 1;
  if (count >= limit) return stopped(control, { ...streakReason(name, count, code), ...rowOf(call), sinceMs: nowMs });
  const counted = { ...control, streaks: { ...control.streaks, [name]: count } };
  return isCanary(control, call) ? passCounted(counted, code, nowMs) : counted;
}

function streakReason(name: 'unknown' | 'unreadable', count: number, code: string): { code: string; message: string } {
  return name === 'unknown'
    ? {
        code: 'UNKNOWN_ANSWERS',
        message: `Zoho refused ${count} rows in a row with answers this program does not know (last: ${code}); look at the failed rows, then resume.`,
      }
    : {
        code: 'UNREADABLE_ANSWERS',
        message: `Zoho said yes ${count} times in a row with answers this program cannot read (last: ${code}); check the API domain and version, then resume.`,
      };
}

function throttled(
  control: Control,
  retryAfterMs: number | null,
  call: FleetCall,
  policy: FleetPolicy,
  nowMs: number,
  random: number,
): Control {
  const asked = nowMs + (retryAfterMs ?? 0);
  // Answers to calls that were admitted before the hold had been written down are the same throttle seen again.
  const isSame = call.sentAtMs <= control.backoffSinceMs || isHeld(control, nowMs);
  if (control.backoffReason === 'throttled' && isSame) {
    return asked > control.backoffUntilMs
      ? { ...control, backoffUntilMs: asked, raiseAtMs: asked + RAISE_EVERY_MS }
      : control;
  }
  const streak = control.streaks.throttled + 1;
  const backoffUntilMs = Math.max(asked, nowMs + backoffMs(streak, policy.backoff, random));
  return {
    ...control,
    backoffUntilMs,
    backoffReason: 'throttled',
    backoffSinceMs: nowMs,
    maxInFlight: Math.max(1, Math.floor((control.maxInFlight ?? policy.maxInFlight) / 2)),
    // The hold itself proves nothing: nobody sends.
    raiseAtMs: backoffUntilMs + RAISE_EVERY_MS,
    streaks: { ...control.streaks, throttled: streak },
  };
}

function raiseInFlight(control: Control, policy: FleetPolicy, nowMs: number): Control {
  if (control.maxInFlight === null || nowMs < control.raiseAtMs) return control;
  const maxInFlight = control.maxInFlight + 1;
  return {
    ...control,
    maxInFlight: maxInFlight >= policy.maxInFlight ? null : maxInFlight,
    raiseAtMs: nowMs + RAISE_EVERY_MS,
  };
}

function outageOver(control: Control): Control {
  return {
    ...control,
    mode: 'running',
    canary: null,
    backoffUntilMs: 0,
    backoffReason: null,
    streaks: { ...control.streaks, outage: 0 },
  };
}

function hasNoStreaks({ streaks }: Control): boolean {
  return (
    streaks.outage === 0 &&
    streaks.unknown === 0 &&
    streaks.unreadable === 0 &&
    streaks.throttled === 0 &&
    !streaks.recordId
  );
}

function reasonOf(event: { code: string; message: string }, call: FleetCall): Omit<StopReason, 'sinceMs'> {
  return { code: event.code, message: event.message, ...rowOf(call) };
}

function rowOf(call: FleetCall): Pick<StopReason, 'key' | 'line'> {
  return { key: call.key, line: call.line };
}
