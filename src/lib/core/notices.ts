import type { Control } from './control.js';

/** What a message is sent for. */
export const NOTICE_EVENTS = ['stopped', 'resumed', 'idle', 'held'] as const;
export type NoticeEvent = (typeof NOTICE_EVENTS)[number];

/** What the fleet's people have been told, and what is being told to them: the store's `notices` document. */
export interface Notices {
  /** The latest state told: running, or stopped in this epoch. */
  readonly stop: { readonly code: string; readonly epoch: number } | null;
  /** A stop of this epoch and the same code only renews the one before: the fleet tried by itself, in vain. */
  readonly renewingEpoch: number | null;
  /** Held rows at the latest look. */
  readonly held: number;
  /** Rows that were through when the fleet last had nothing to do. */
  readonly throughWhenIdle: number;
  /** A message under way; after `untilMs` its sender is dead, and another one sends it. */
  readonly sending: { readonly event: NoticeEvent; readonly by: string; readonly untilMs: number } | null;
}

/** What is there to be told of. */
export interface FleetSnapshot {
  readonly control: Pick<Control, 'mode' | 'stop' | 'epoch'>;
  /** Rows that wait, are being sent, or will be tried again; uncertain ones included. */
  readonly rowsToSend: number;
  /** Rows that Zoho has and whose result is to come. */
  readonly rowsToFinish: number;
  readonly held: number;
  /** Rows that are through: submitted or failed. */
  readonly through: number;
}

/** Before the first look: what is there then is news to nobody, but a stop is. */
export function firstNotices({ held, through }: FleetSnapshot): Notices {
  return { stop: null, renewingEpoch: null, held, throughWhenIdle: through, sending: null };
}

/** The event that is due; null when all is told. */
export function dueEvent(notices: Notices, seen: FleetSnapshot): NoticeEvent | null {
  const { control } = seen;
  if (control.mode === 'stopped' && isNewStop(notices, control)) return 'stopped';
  if (control.mode === 'running' && notices.stop !== null) return 'resumed';
  if (seen.held > notices.held) return 'held';
  if (isIdle(seen) && seen.through > notices.throughWhenIdle) return 'idle';
  return null;
}

/** The notices after `event` was told, or after a look that found nothing to tell (null). */
export function afterNotice(notices: Notices, seen: FleetSnapshot, event: NoticeEvent | null): Notices {
  const { control } = seen;
  const renews = control.mode === 'stopped' && notices.stop !== null && !isNewStop(notices, control);
  switch (event) {
    case 'stopped':
      return { ...notices, stop: stopOf(control), renewingEpoch: null, sending: null };
    case 'resumed':
      return { ...notices, stop: null, renewingEpoch: null, sending: null };
    case 'held':
      return { ...notices, held: seen.held, sending: null };
    case 'idle':
      return { ...notices, throughWhenIdle: seen.through, sending: null };
    case null: {
      const stop = renews ? stopOf(control) : notices.stop;
      const held = Math.min(notices.held, seen.held);
      // Erased rows are through no more.
      const throughWhenIdle = Math.min(notices.throughWhenIdle, seen.through);
      const same =
        held === notices.held && throughWhenIdle === notices.throughWhenIdle && stop?.epoch === notices.stop?.epoch;
      return same ? notices : { ...notices, stop, held, throughWhenIdle };
    }
  }
}

function isNewStop({ stop, renewingEpoch }: Notices, control: FleetSnapshot['control']): boolean {
  if (stop === null) return true;
  if (stop.epoch === control.epoch) return false;
  return !(control.epoch === renewingEpoch && control.stop?.code === stop.code);
}

function stopOf({ stop, epoch }: FleetSnapshot['control']): Notices['stop'] {
  return { code: stop?.code ?? 'STOPPED', epoch };
}

function isIdle({ control, rowsToSend, rowsToFinish }: FleetSnapshot): boolean {
  return control.mode === 'running' && rowsToSend === 0 && rowsToFinish === 0;
}
