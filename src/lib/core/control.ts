import type { Budget, Reserve } from './budget.js';
import { INPUT_FIELDS, type InputField } from './row.js';

/**
 * The fleet's control state: one small document that every admission reads and only pure functions change: the ones here,
 * `canary.ts` and `after-answer.ts`. All times are milliseconds on the store's clock.
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

/** A time further ahead is from before the store's clock was set back. */
export const CLOCK_TOLERANCE_MS = 10_000;

export const NO_STREAKS: Streaks = { outage: 0, unknown: 0, unreadable: 0, throttled: 0 };

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
 * Whether asking for admission is worth while: neither stopped, nor held back, nor another row's canary under way.
 * A canary taken long ago is worth asking about: its worker may be dead, which only an admission finds out.
 */
export function mayWork(control: Control, nowMs: number): boolean {
  if (control.mode === 'stopped' || isHeld(control, nowMs)) return false;
  if (control.canary === null) return true;
  return control.canary.key === null || control.canary.leaseUntilMs < nowMs;
}

/** A hold that begins in the future is from before the store's clock was set back. */
export function isHeld({ backoffUntilMs, backoffSinceMs }: Control, nowMs: number): boolean {
  return backoffUntilMs > nowMs && backoffSinceMs <= nowMs + CLOCK_TOLERANCE_MS;
}

/** A canary that any worker may take. */
export function openCanary(cause: Canary['cause'], passes: number): Canary {
  return { cause, key: null, callId: null, leaseUntilMs: 0, passes };
}
