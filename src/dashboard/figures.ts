import { USED_SHARE } from '../lib/core/estimate.js';
import type { FleetLimits } from '../lib/store/fleet-limits.js';
import type { OverviewState, Point, Snapshot } from './monitor.js';
import type { RowGroup } from './row-bar.js';

/** All rows this store knows by what became of them, each in one group. Zoho's answers that found nothing are known by what they are not. */
export function rowGroups({ queue, ledger, fleetStats }: Snapshot): readonly RowGroup[] {
  const { scheduled, pending, uncertain, held, failed } = ledger;
  const enriched = Math.min(fleetStats.withData, scheduled - pending - failed);
  return [
    { color: 'enriched', label: 'Enriched', rows: enriched, href: '/rows?filter=enriched' },
    {
      color: 'empty',
      label: 'No data found',
      rows: scheduled - pending - failed - enriched,
      href: '/rows?filter=notfound',
    },
    { color: 'submitted', label: 'Sent, waiting for result', rows: pending, href: '/rows?filter=pending' },
    // The job of an uncertain row waits in the queue, that of a held row has failed.
    { color: 'queued', label: 'Waiting', rows: Math.max(0, rowsLeft(queue) - uncertain), href: '/rows?filter=waiting' },
    { color: 'uncertain', label: 'Checking with Zoho', rows: uncertain, href: '/rows?filter=uncertain' },
    { color: 'held', label: 'Needs your decision', rows: held, href: '/rows?filter=held' },
    { color: 'failed', label: 'Failed', rows: Math.max(0, queue.failed - held) + failed, href: '/rows?filter=failed' },
  ];
}

/** Rows that are still to be submitted. */
export function rowsLeft({ waiting, active, delayed }: Snapshot['queue']): number {
  return waiting + active + delayed;
}

/** The pace of the fleet: its workers' own, else that of this dashboard's settings. */
export function paceOf({ limits }: Snapshot, configured: FleetLimits): FleetLimits {
  return limits ?? configured;
}

const RECENT_MS = 60_000;

/** Submissions per second over the last minute; null before there is anything to tell. */
export function recentRate(history: readonly Point[], nowMs: number): number | null {
  const points = history.filter(({ atMs }) => atMs > nowMs - RECENT_MS);
  if (points.length === 0) return null;
  return points.reduce((sum, { perSecond }) => sum + perSecond, 0) / points.length;
}

/** How long the rows in the queue take, in seconds: at the pace of the last minute, else at the configured one. Null when nothing moves. */
export function secondsLeft({ sample, history }: OverviewState, ratePerSecond: number): number | null {
  const rows = rowsLeft(sample.queue);
  if (rows === 0) return 0;
  if (sample.control.mode === 'stopped' || sample.fleetStats.workers === 0) return null;
  const recent = recentRate(history, sample.atMs) ?? 0;
  return rows / (recent > 0 ? recent : ratePerSecond * USED_SHARE);
}

/** One line of the chart's table: a minute. */
export interface Minute {
  readonly startMs: number;
  readonly perSecond: number;
  readonly inFlight: number;
}

const MINUTES_SHOWN = 15;
const MINUTE_MS = 60_000;

/** The chart's points by minute, newest first: the mean rate, the most calls in flight. */
export function minutes(history: readonly Point[]): readonly Minute[] {
  const byMinute = new Map<number, Point[]>();
  for (const point of history) {
    const startMs = Math.floor(point.atMs / MINUTE_MS) * MINUTE_MS;
    byMinute.set(startMs, [...(byMinute.get(startMs) ?? []), point]);
  }
  return [...byMinute]
    .map(([startMs, points]) => ({
      startMs,
      perSecond: points.reduce((sum, { perSecond }) => sum + perSecond, 0) / points.length,
      inFlight: Math.max(...points.map(({ inFlight }) => inFlight)),
    }))
    .sort((a, b) => b.startMs - a.startMs)
    .slice(0, MINUTES_SHOWN);
}
