import { formatCount, formatDuration, formatRows } from '../lib/core/format.js';
import type { RowCounts, WorkerProgress } from '../workers/watch-queue.js';
import { barLine } from './bar.js';
import { colouredTrouble, fleetTrouble } from './fleet-words.js';
import { type LiveArea, openLiveArea } from './live-area.js';
import { HEARTBEAT_MS, roomOf } from './progress.js';
import { cut, isWatched, note, wrapped } from './terminal.js';

export interface RunProgressOptions {
  /** The file, for the eyes. */
  readonly label: string;
  /** Queue and ledger before the worker started. */
  readonly before: RowCounts;
  readonly waitForResults: boolean;
  /** Enrichments left at the start; null while it is not known. */
  readonly allowanceLeft: () => number | null;
}

export interface RunProgress {
  update(seen: WorkerProgress): void;
  /** Takes the lines off the screen. Safe to call twice. */
  stop(): void;
}

/** What came of the queue since the start: rows of other files in it included. */
export interface RunFigures {
  readonly total: number;
  readonly sent: number;
  readonly failed: number;
  /** Results collected, and how many there are to collect in all. */
  readonly results: number;
  readonly resultsTotal: number;
}

/** How far a run is: drawn in place on a terminal, else told when something changes and every half minute. */
export function createRunProgress(options: RunProgressOptions): RunProgress {
  return isWatched() ? drawn(options) : told(options);
}

/**
 * Figures that never count a row twice: an active row may be in the ledger already, so it is in the total either by what
 * was seen of it before, or once it is sent.
 */
export function createFigures(start: RowCounts): (seen: RowCounts) => RunFigures {
  let total = start.queue.waiting + start.queue.active + start.queue.delayed;
  return ({ queue, ledger }) => {
    const sent = ledger.scheduled - start.ledger.scheduled;
    const failed = Math.max(0, queue.failed - start.queue.failed);
    total = Math.max(total, sent + failed + queue.waiting + queue.delayed);
    const pendingAtStart = start.ledger.pending;
    return {
      total,
      sent,
      failed,
      results: sent + pendingAtStart - ledger.pending,
      resultsTotal: total + pendingAtStart,
    };
  };
}

function drawn({ label, before, waitForResults, allowanceLeft }: RunProgressOptions): RunProgress {
  const figuresOf = createFigures(before);
  let sendingSince = performance.now();
  let area: LiveArea | null = openLiveArea(process.stderr);
  return {
    update: (seen) => {
      const width = roomOf(process.stderr);
      const figures = figuresOf(seen);
      // The start of the worker is no pace.
      if (figures.sent === 0) sendingSince = performance.now();
      const { sent, failed, total, results, resultsTotal } = figures;
      const done = waitForResults ? results + failed : sent + failed;
      const line = barLine(
        {
          label,
          share: done / Math.max(1, waitForResults ? resultsTotal : total),
          figures: [
            `${formatCount(sent)}/${formatCount(total)} sent`,
            ...(waitForResults ? [`${formatCount(results)} ${results === 1 ? 'result' : 'results'}`] : []),
            ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
            ...pace(figures, performance.now() - sendingSince),
            ...allowance(allowanceLeft(), sent),
          ],
        },
        width,
      );
      const trouble = fleetTrouble(seen.control, seen.nowMs);
      const second =
        trouble === null
          ? waiting(seen)
          : colouredTrouble({ ...trouble, text: cut(trouble.text, width) }, process.stderr);
      area?.show(second === null ? line : `${line}\n${wrapped(second, width)}`);
    },
    stop: () => {
      area?.clear();
      area = null;
    },
  };
}

/** Time left and pace, as long as rows are sent. */
function pace({ sent, failed, total }: RunFigures, elapsedMs: number): readonly string[] {
  const left = total - sent - failed;
  const rate = sent / Math.max(0.001, elapsedMs / 1_000);
  return left <= 0 || rate === 0 ? [] : [`~${formatDuration(left / rate)}`, `${rate.toFixed(1)}/s`];
}

function allowance(leftAtStart: number | null, sent: number): readonly string[] {
  return leftAtStart === null ? [] : [`${formatCount(Math.max(0, leftAtStart - sent))} left`];
}

function waiting({ nextLookAtMs, nowMs, ledger }: WorkerProgress): string | null {
  if (nextLookAtMs === null) return null;
  const inSeconds = Math.max(0, Math.ceil((nextLookAtMs - nowMs) / 1_000));
  const when = inSeconds === 0 ? 'now' : `in ${formatDuration(inSeconds)}`;
  return `Everything is sent. Zoho still works on ${formatRows(ledger.pending)}; next look ${when}`;
}

function told({ label, before, waitForResults }: RunProgressOptions): RunProgress {
  const figuresOf = createFigures(before);
  let toldAt = performance.now();
  let last = '';
  return {
    update: (seen) => {
      const { sent, total, results } = figuresOf(seen);
      const trouble = fleetTrouble(seen.control, seen.nowMs);
      const isWaiting = seen.nextLookAtMs !== null && waitForResults;
      // The seconds of a wait change all the time, and are no news.
      const state = trouble === null ? (isWaiting ? 'waiting' : 'sending') : trouble.text.replace(/ in \d.*$/, '');
      const hasChanged = state !== last && last !== '';
      last = state;
      if (!hasChanged && performance.now() - toldAt < HEARTBEAT_MS) return;
      toldAt = performance.now();
      const figures = `${label}: ${formatCount(sent)}/${formatCount(total)} sent${waitForResults ? `, ${formatCount(results)} results` : ''}`;
      note(
        trouble === null ? `${figures}${isWaiting ? '; waiting for the others' : ''}` : `${figures}. ${trouble.text}`,
      );
    },
    stop: () => undefined,
  };
}
