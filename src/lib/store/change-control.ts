import { type Control, INITIAL_CONTROL } from '../core/control.js';
import type { Document } from './store.js';

/** The control state after a change. */
export interface ChangedControl {
  readonly changed: boolean;
  readonly control: Control;
}

/**
 * Changes the control state by a pure function, which may be called several times; the very object it was given leaves the
 * state as it is. A store that has none yet is in the initial state.
 */
export async function changeControl(
  document: Document<Control>,
  next: (control: Control, nowMs: number) => Control,
): Promise<ChangedControl> {
  const { value, changed } = await document.change((control, nowMs) => {
    const before = control ?? INITIAL_CONTROL;
    const after = next(before, nowMs);
    return after === before ? undefined : after;
  });
  return { changed, control: value ?? INITIAL_CONTROL };
}
