import type { Control } from '../lib/core/control.js';
import { formatDuration } from '../lib/core/format.js';
import { coloursOf } from './terminal.js';

/** What holds sending up, in words; null when nothing does. */
export interface FleetTrouble {
  readonly level: 'stopped' | 'waiting';
  readonly text: string;
}

/** Shorter waits are part of the pace. */
const WORTH_TELLING_MS = 500;

export function fleetTrouble(control: Control, nowMs: number): FleetTrouble | null {
  const { mode, stop, canary, backoffUntilMs, backoffReason } = control;
  if (mode === 'stopped' && stop !== null) {
    const level = stop.code === 'PAUSED' ? 'waiting' : 'stopped';
    return { level, text: `${level === 'stopped' ? `STOPPED (${stop.code}): ` : ''}${stop.message}` };
  }
  const waitMs = backoffUntilMs - nowMs;
  if (waitMs >= WORTH_TELLING_MS) {
    const why = backoffReason === 'throttled' ? 'Zoho asked for fewer calls' : 'Zoho cannot be reached';
    return { level: 'waiting', text: `${why}: sending goes on in ${formatDuration(waitMs / 1_000)}` };
  }
  if (mode !== 'canary') return null;
  const why = canary?.cause === 'outage' ? 'Zoho could not be reached' : 'Resumed';
  return { level: 'waiting', text: `${why}: testing with one row first` };
}

/** Red for a stop, amber for what passes by itself. */
export function colouredTrouble({ level, text }: FleetTrouble, stream: typeof process.stderr): string {
  const colours = coloursOf(stream);
  return level === 'stopped' ? colours.bold(colours.red(text)) : colours.yellow(text);
}
