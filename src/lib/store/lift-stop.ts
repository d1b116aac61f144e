import { type Control, type FieldChoice, fieldsChosen, paused, resumed } from '../core/control.js';
import { type ChangedControl, changeControl } from './change-control.js';
import type { Document } from './store.js';

/** What became of a resume; `control` is the state after it. */
export interface LiftedStop {
  readonly outcome: 'lifted' | 'not-stopped' | 'other-stop';
  readonly control: Control;
}

/**
 * Lifts the stop: one row goes first. With `epoch`, only the stop of that epoch; whoever has seen an earlier one has not
 * seen why the fleet stands still now. `choice` says which fields rows go
 * without from now on, also when nothing is stopped. Calling it twice is safe.
 */
export async function liftStop(document: Document<Control>, epoch?: number, choice?: FieldChoice): Promise<LiftedStop> {
  let outcome: LiftedStop['outcome'] = 'not-stopped';
  const { control } = await changeControl(document, (before) => {
    outcome = outcomeOf(before, epoch);
    const chosen = choice === undefined ? before : fieldsChosen(before, choice);
    return outcome === 'lifted' ? resumed(chosen) : chosen;
  });
  return { outcome, control };
}

function outcomeOf({ mode, epoch: current }: Control, epoch: number | undefined): LiftedStop['outcome'] {
  if (mode !== 'stopped') return 'not-stopped';
  return epoch === undefined || epoch === current ? 'lifted' : 'other-stop';
}

/**
 * Raises a stop on a person's word, for everybody: what is on its way goes through, and no other row is sent. A stop of another kind
 * becomes this one, so that nothing but a person lifts it. Not changed when the fleet was paused already.
 */
export function raisePause(document: Document<Control>, message: string): Promise<ChangedControl> {
  return changeControl(document, (control, nowMs) => paused(control, message, nowMs));
}
