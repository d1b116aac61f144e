import { Presets, SingleBar } from 'cli-progress';
import { count, isWatched, note } from './terminal.js';

export interface Progress {
  update(done: number, total: number): void;
  /** Leaves the last state on the screen. Safe to call twice. */
  stop(): void;
}

/** Progress on stderr: a bar when somebody watches, else a line now and then. */
export function createProgress(label: string): Progress {
  return isWatched() ? bar(label) : lines(label);
}

function bar(label: string): Progress {
  const single = new SingleBar(
    {
      format: `${label} {bar} {percentage}% · {value} of {total} · {eta_formatted} left`,
      stream: process.stderr,
      hideCursor: true,
      formatTime: duration,
    },
    Presets.shades_classic,
  );
  return {
    update: (done, total) => {
      if (total === 0) return;
      if (!single.isActive) single.start(total, 0);
      single.setTotal(total);
      single.update(Math.min(done, total));
    },
    stop: () => single.stop(),
  };
}

/** `45s`, `12m`, `3h20m`; the library's estimate is no number before the first step. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 100) return `${Math.round(seconds)}s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes}m` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

const LINE_EVERY_MS = 2_000;

function lines(label: string): Progress {
  let shownAt = performance.now();
  return {
    update: (done, total) => {
      if (performance.now() - shownAt < LINE_EVERY_MS) return;
      shownAt = performance.now();
      note(`${label}: ${count(done)} of ${count(total)}`);
    },
    stop: () => undefined,
  };
}
