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
