import { type Control, openCanary, stopped } from './control.js';

const MAX_CANARY_PASSES = 5;
/** A worker that took the canary has to be admitted within this. */
export const CANARY_LEASE_MS = 10_000;

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

/** The canary told nothing for certain: another row takes it, at most five times. */
export function passCounted(control: Control, code: string, nowMs: number): Control {
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

/** Zoho did not look at the canary's row: another one takes it, as often as that happens. */
export function passUncounted(control: Control, call: { readonly callId: string }): Control {
  if (!isCanary(control, call) || control.canary === null) return control;
  return { ...control, canary: openCanary(control.canary.cause, control.canary.passes) };
}

export function isCanary(control: Control, call: { readonly callId: string }): boolean {
  return control.canary !== null && control.canary.callId === call.callId;
}
