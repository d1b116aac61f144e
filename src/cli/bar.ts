import stringWidth from 'fast-string-width';
import { cut } from './terminal.js';

/** A line with a bar in it. */
export interface BarLine {
  readonly label: string;
  /** 0 to 1. */
  readonly share: number;
  /** Figures behind the bar, the most important first: where there is no room, the last go first. */
  readonly figures: readonly string[];
}

const MIN_BAR = 8;
const MAX_BAR = 40;

/** The line in at most `width` columns: the bar takes what the text leaves, then figures give way, then the label is cut. */
export function barLine({ label, share, figures }: BarLine, width: number): string {
  for (let shown = figures.length; ; shown -= 1) {
    const text = figures.slice(0, shown).join(' · ');
    const room = width - stringWidth(label) - stringWidth(text) - 2;
    if (room >= MIN_BAR) return `${label} ${bar(share, Math.min(MAX_BAR, room))} ${text}`;
    if (shown > 1) continue;
    const left = Math.max(1, width - stringWidth(text) - 2 - MIN_BAR);
    return cut(`${cut(label, left)} ${bar(share, MIN_BAR)} ${text}`, width);
  }
}

function bar(share: number, length: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * length);
  return '█'.repeat(filled) + '░'.repeat(length - filled);
}
