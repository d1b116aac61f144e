import { Presets, SingleBar } from 'cli-progress';
import { isWatched } from './terminal.js';

export interface Progress {
  update(done: number, total: number): void;
  /** Leaves the last state on the screen. Safe to call twice. */
  stop(): void;
}

/** A bar on stderr when somebody watches, from the first update on; else nothing. */
export function createProgress(label: string): Progress {
  if (!isWatched()) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar(
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
      if (!bar.isActive) bar.start(total, 0);
      bar.setTotal(total);
      bar.update(Math.min(done, total));
    },
    stop: () => bar.stop(),
  };
}
