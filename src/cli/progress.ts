import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import { count, duration } from '../lib/core/wording.js';
import { isWatched, note } from './terminal.js';

export interface Progress {
  update(done: number, total: number): void;
  /** Leaves the last state on the screen. Safe to call twice. */
  stop(): void;
}

/** Progress on stderr: a bar when somebody watches, else a line now and then. */
export function createProgress(label: string): Progress {
  const [progress] = createProgresses([label]);
  if (progress === undefined) throw new Error('One label makes one bar.');
  return progress;
}

/** Progress of several things at once, a bar or a line each. Stopping one of the bars stops all. */
export function createProgresses(labels: readonly string[]): readonly Progress[] {
  return isWatched() ? bars(labels) : labels.map(lines);
}

function bars(labels: readonly string[]): readonly Progress[] {
  const screen = new MultiBar(
    {
      format: '{label} {bar} {percentage}% · {value} of {total} · {rate}/s · {eta_formatted} left',
      stream: process.stderr,
      hideCursor: true,
      formatTime: duration,
    },
    Presets.shades_classic,
  );
  const width = Math.max(...labels.map((label) => label.length));
  return labels.map((label) => {
    const startedAt = performance.now();
    let bar: SingleBar | undefined;
    return {
      update: (done, total) => {
        if (total === 0) return;
        bar ??= screen.create(total, 0, { label: label.padEnd(width), rate: '0.0' });
        bar.setTotal(total);
        const seconds = Math.max(0.001, (performance.now() - startedAt) / 1_000);
        bar.update(Math.min(done, total), { rate: (done / seconds).toFixed(1) });
      },
      stop: () => screen.stop(),
    };
  });
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
