import { formatCount, formatDuration } from '../lib/core/format.js';
import { barLine } from './bar.js';
import { openLiveArea } from './live-area.js';
import { isWatched, note, widthOf } from './terminal.js';

export interface Progress {
  update(done: number, total: number): void;
  /** Takes the bar off the screen: what came of it is told elsewhere. Safe to call twice. */
  stop(): void;
}

/** Progress on stderr: a bar when somebody watches, else a line every half minute. */
export function createProgress(label: string): Progress {
  return isWatched() ? drawn(label) : heartbeat(label);
}

/** A terminal takes no more often than this without flicker. */
const DRAW_EVERY_MS = 100;

function drawn(label: string): Progress {
  const startedAt = performance.now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let area: ReturnType<typeof openLiveArea> | null = null;
  return {
    update: (done, total) => {
      const now = performance.now();
      if (total === 0 || now - drawnAt < DRAW_EVERY_MS) return;
      drawnAt = now;
      area ??= openLiveArea(process.stderr);
      const rate = done / Math.max(0.001, (now - startedAt) / 1_000);
      const left = rate === 0 ? [] : [`${formatDuration((total - done) / rate)} left`];
      const figures = [`${formatCount(done)} of ${formatCount(total)}`, ...left, `${formatCount(Math.round(rate))}/s`];
      area.show(barLine({ label, share: done / total, figures }, roomOf(process.stderr)));
    },
    stop: () => {
      area?.clear();
      area = null;
    },
  };
}

/** Some terminals wrap a line that fills them. */
export function roomOf(stream: typeof process.stderr): number {
  return Math.max(20, widthOf(stream) - 1);
}

export const HEARTBEAT_MS = 30_000;

function heartbeat(label: string): Progress {
  let toldAt = performance.now();
  return {
    update: (done, total) => {
      if (performance.now() - toldAt < HEARTBEAT_MS) return;
      toldAt = performance.now();
      note(`${label}: ${formatCount(done)} of ${formatCount(total)}`);
    },
    stop: () => undefined,
  };
}
