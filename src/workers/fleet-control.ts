import { afterAnswer, type FleetCall, type FleetEvent, type FleetPolicy } from '../lib/core/after-answer.js';
import { type Control, decisionsKept, INITIAL_CONTROL, isOlder } from '../lib/core/control.js';
import type { Logger } from '../lib/logger.js';
import { changeControl } from '../lib/store/change-control.js';
import type { Reported, Store } from '../lib/store/store.js';

/** This worker's view of the control state, and what it tells the fleet. */
export interface FleetControl {
  /** The latest control state seen. */
  readonly current: Control;
  /** Takes note of a control state seen elsewhere. */
  observe(seen: Control): void;
  /**
   * Takes note of what the store says now, asked when `known` was the latest. A store that lost its last writes is given back
   * what a person decided. Returns the control state that holds.
   */
  adopt(seen: Control, known: Control): Promise<Control>;
  /** Tells the fleet what an answer means; costs a round trip only when the control state changes or `after` is not given. */
  report(event: FleetEvent, call: FleetCall): Promise<void>;
  reported(event: FleetEvent, call: FleetCall, after: Reported): Promise<void>;
  /** For events that belong to no call, such as a refused refresh token. */
  reportWithoutCall(event: FleetEvent, row: { readonly key: string; readonly line: number | null }): Promise<void>;
}

export interface FleetControlDeps {
  readonly store: Store;
  readonly policy: FleetPolicy;
  readonly log: Logger;
  readonly random: () => number;
}

export function createFleetControl({ store, policy, log, random }: FleetControlDeps): FleetControl {
  let current: Control = INITIAL_CONTROL;

  function observe(seen: Control): void {
    if (isOlder(seen, current)) return;
    if (seen.mode !== current.mode || seen.epoch !== current.epoch) logMode(log, seen);
    current = seen;
  }

  async function report(event: FleetEvent, call: FleetCall): Promise<void> {
    const spread = random();
    const after = await changeControl(store.control, (control, nowMs) =>
      afterAnswer(control, event, call, policy, nowMs, spread),
    );
    observe(after.control);
  }

  return {
    get current() {
      return current;
    },
    observe,
    adopt: async (seen, known) => {
      let holds = seen;
      if (isOlder(seen, known)) {
        holds = (await changeControl(store.control, (control) => decisionsKept(control, known))).control;
        current = INITIAL_CONTROL;
      }
      observe(holds);
      return holds;
    },
    report,
    reported: async (event, call, after) => {
      observe(after.control);
      const next = afterAnswer(after.control, event, call, policy, after.nowMs, 0);
      if (next !== after.control) await report(event, call);
    },
    reportWithoutCall: (event, { key, line }) =>
      report(event, { epoch: current.epoch, callId: '', key, line, sentAtMs: Number.MAX_SAFE_INTEGER }),
  };
}

function logMode(log: Logger, { mode, epoch, stop, canary }: Control): void {
  if (mode === 'stopped')
    log.error('fleet.stopped', { epoch, code: stop?.code, message: stop?.message, line: stop?.line });
  else if (mode === 'canary') log.warn('fleet.canary', { epoch, cause: canary?.cause });
  else log.info('fleet.running', { epoch });
}
