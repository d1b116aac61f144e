import { type BackoffPolicy, backoffMs } from './backoff.js';
import type { Budget, Reserve } from './budget.js';
import { INPUT_FIELDS, type InputField } from './row.js';

/**
 * The fleet's control state: one small document that every admission reads and only the pure
 * functions in this file change. All times are milliseconds on the store's clock.
 *
 *     running --stop--> stopped --resume--> canary(resume) --accepted--> running
 *     running --3 outages--> canary(outage) --any answer--> running
 *
 * A function that has nothing to change returns the very object it was given.
 */
export interface Control {
  /** Counts stops and resumes. Every answer carries the epoch of its admit; a late error of an older epoch changes nothing. */
  readonly epoch: number;
  readonly mode: 'running' | 'stopped' | 'canary';
  /** Why the fleet stands still (mode `stopped`), or stood still before this canary. */
  readonly stop: StopReason | null;
  /** The single row let through in mode `canary`. */
  readonly canary: Canary | null;
  /** Nothing is sent before this time (throttling, outage); 0 when nothing holds the fleet. */
  readonly backoffUntilMs: number;
  readonly backoffReason: 'throttled' | 'outage' | null;
  /** When the latest hold began: answers to calls sent before it tell nothing new about it. */
  readonly backoffSinceMs: number;
  /** Calls allowed in flight after throttling, below the configured number; null when not lowered. */
  readonly maxInFlight: number | null;
  /** When the lowered number of calls in flight may next go up by one. */
  readonly raiseAtMs: number;
  readonly streaks: Streaks;
  /** Fields that rows go without, until a person says otherwise; absent: none. */
  readonly without?: readonly InputField[];
  /** Absent: nobody ever set one. */
  readonly budget?: Budget;
  /** Absent: no worker keeps any of the allowance back, or Zoho has not told what is left. */
  readonly reserve?: Reserve;
}

export interface StopReason {
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
  /** Identity key of the row whose answer raised the stop; null when no row did. */
  readonly key: string | null;
  /** The row's line in its file, when known. */
  readonly line: number | null;
}

export interface Canary {
  readonly cause: 'resume' | 'outage';
  /** Null until a worker takes the canary. */
  readonly key: string | null;
  /** Call id of the claim; the canary ends with its worker, when this call's permit is gone. */
  readonly callId: string | null;
  /** A worker that took the canary must be admitted before this time. */
  readonly leaseUntilMs: number;
  /** How often the canary was passed on. */
  readonly passes: number;
}

/** Answers in a row without a success between. */
export interface Streaks {
  /** Never sent, or sent and lost. */
  readonly outage: number;
  /** 4xx codes nobody knows. */
  readonly unknown: number;
  /** 2xx answers nobody can read. */
  readonly unreadable: number;
  readonly throttled: number;
  /** Record ids that Zoho does not know; absent in documents of earlier versions. */
  readonly recordId?: number;
}

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

const CLOCK_TOLERANCE_MS = 10_000;
const NO_STREAKS: Streaks = { outage: 0, unknown: 0, unreadable: 0, throttled: 0 };
const OUTAGES_THAT_OPEN_THE_BREAKER = 3;
const UNKNOWN_ANSWERS_THAT_STOP = 3;
const UNREADABLE_ANSWERS_THAT_STOP = 2;
const RECORD_IDS_THAT_STOP = 10;
const MAX_CANARY_PASSES = 5;
/** A throttled fleet gets one call in flight back per this time of sending without being throttled. */
const RAISE_EVERY_MS = 2_000;

export const INITIAL_CONTROL: Control = {
  epoch: 0,
  mode: 'running',
  stop: null,
  canary: null,
  backoffUntilMs: 0,
  backoffReason: null,
  backoffSinceMs: 0,
  maxInFlight: null,
  raiseAtMs: 0,
  streaks: NO_STREAKS,
};

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

/** Halts the fleet; unchanged when it is stopped already, so the first reason stays. */
export function stopped(control: Control, stop: StopReason): Control {
  if (control.mode === 'stopped') return control;
  const { maxInFlight, without, budget, reserve } = control;
  return {
    ...INITIAL_CONTROL,
    epoch: control.epoch + 1,
    mode: 'stopped',
    stop,
    maxInFlight,
    ...(without && { without }),
    ...(budget && { budget }),
    ...(reserve && { reserve }),
  };
}

/** A choice of fields by a person: rows go without some, or with some again. */
export interface FieldChoice {
  readonly without: readonly InputField[];
  readonly with: readonly InputField[];
}

/** The choice is kept from now on. It begins an epoch, so that no worker goes on by what it knew before. */
export function fieldsChosen(control: Control, choice: FieldChoice): Control {
  const before = control.without ?? [];
  const without = INPUT_FIELDS.filter(
    (field) => !choice.with.includes(field) && (choice.without.includes(field) || before.includes(field)),
  );
  if (without.length === before.length && without.every((field) => before.includes(field))) return control;
  return { ...control, epoch: control.epoch + 1, without };
}

/** Whether the store knows less than what was seen of it: it went back in time. */
export function isOlder(control: Control, known: Control): boolean {
  return control.epoch < known.epoch || revisionOf(control) < revisionOf(known);
}

/**
 * What `known`, seen earlier, adds to a store that went back in time: a stop that only a person may lift, a choice of
 * fields, and a budget. The very object when the store knows more.
 */
export function decisionsKept(control: Control, known: Control): Control {
  const isStopped = control.epoch < known.epoch && known.mode === 'stopped';
  const kept = isStopped ? known : choiceKept(control, known);
  const { budget } = revisionOf(control) < revisionOf(known) ? known : control;
  return budget === kept.budget || budget === undefined ? kept : { ...kept, budget };
}

function choiceKept(control: Control, known: Control): Control {
  if (control.epoch >= known.epoch || known.without === undefined) return control;
  return { ...control, epoch: known.epoch, without: known.without };
}

function revisionOf({ budget }: Control): number {
  return budget?.revision ?? 0;
}

/** A stop by hand. One that was raised for another reason becomes one: then nothing lifts it but a person. */
export function paused(control: Control, message: string, sinceMs: number): Control {
  const { mode, stop } = control;
  if (mode === 'stopped' && stop?.code === 'PAUSED') return control;
  const before = mode === 'stopped' && stop !== null ? ` It was stopped before (${stop.code}): ${stop.message}` : '';
  const reason = { code: 'PAUSED', message: message + before, sinceMs, key: null, line: null };
  return mode === 'stopped' ? { ...control, epoch: control.epoch + 1, stop: reason } : stopped(control, reason);
}

/**
 * Lifts a stop: one row goes first, the rest when Zoho has accepted it. Unchanged when nothing is stopped. Whoever resumes may
 * have got more of the allowance: what Zoho said of it before is forgotten.
 */
export function resumed(control: Control): Control {
  if (control.mode !== 'stopped') return control;
  const { reserve: _before, ...kept } = control;
  return { ...kept, epoch: control.epoch + 1, mode: 'canary', canary: openCanary('resume', 0) };
}

/**
 * Gives the open canary to this call. `seen` is the control state that the worker was shown: when somebody else took the
 * canary meanwhile nothing changes. A canary whose holder died counts as passed on. The worker must be admitted within `leaseMs`.
 */
export function canaryTaken(
  control: Control,
  seen: Control,
  call: { key: string; callId: string },
  nowMs: number,
  leaseMs: number,
): Control {
  if (control.mode !== 'canary' || control.canary === null) return control;
  if (control.epoch !== seen.epoch || control.canary.callId !== (seen.canary?.callId ?? null)) return control;
  const left = control.canary.key === null ? control : passCounted(control, 'WORKER_DIED', nowMs);
  if (left.canary === null) return left;
  return {
    ...left,
    canary: { ...left.canary, key: call.key, callId: call.callId, leaseUntilMs: nowMs + leaseMs },
  };
}

/**
 * Whether asking for admission is worth while: neither stopped, nor held back, nor another row's canary under way.
 * A canary taken long ago is worth asking about: its worker may be dead, which only an admission finds out.
 */
export function mayWork(control: Control, nowMs: number): boolean {
  if (control.mode === 'stopped' || isHeld(control, nowMs)) return false;
  if (control.canary === null) return true;
  return control.canary.key === null || control.canary.leaseUntilMs < nowMs;
}

/** A hold that begins in the future is from before the store's clock was set back. */
function isHeld({ backoffUntilMs, backoffSinceMs }: Control, nowMs: number): boolean {
  return backoffUntilMs > nowMs && backoffSinceMs <= nowMs + CLOCK_TOLERANCE_MS;
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

/** The canary told nothing for certain: another row takes it, at most five times. */
function passCounted(control: Control, code: string, nowMs: number): Control {
  if (control.canary === null) return control;
  const passes = control.canary.passes + 1;
  if (control.canary.cause === 'outage' || passes <= MAX_CANARY_PASSES) {
    return { ...control, canary: openCanary(control.canary.cause, passes) };
  }
  return stopped(control, {
    code: 'NO_CANARY_ACCEPTED',
    message: `After the resume ${passes} rows were tried one by one and Zoho accepted none (last: ${code}); look at those rows, then resume.`,
    sinceMs: nowMs,
    key: control.canary.key,
    line: null,
  });
}

function passUncounted(control: Control, call: FleetCall): Control {
  if (!isCanary(control, call) || control.canary === null) return control;
  return { ...control, canary: openCanary(control.canary.cause, control.canary.passes) };
}

function openCanary(cause: Canary['cause'], passes: number): Canary {
  return { cause, key: null, callId: null, leaseUntilMs: 0, passes };
}

function isCanary(control: Control, call: FleetCall): boolean {
  return control.canary !== null && control.canary.callId === call.callId;
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
