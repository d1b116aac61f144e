import { formatDuration } from '../lib/core/format.js';

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' });
const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });

/**
 * A moment as people say it, in the time zone of this machine, and how long ago it was or how soon it is: `18:14 (12 min
 * ago)`, with its date unless that is today's. Where nobody reads along, as ISO 8601 in UTC.
 */
export function moment(atMs: number, { nowMs = Date.now(), isRead = process.stdout.isTTY === true } = {}): string {
  if (!isRead) return new Date(atMs).toISOString();
  const day = DAY.format(atMs);
  const time = TIME.format(atMs);
  return `${day === DAY.format(nowMs) ? time : `${day}, ${time}`} (${ago(atMs, nowMs)})`;
}

/** `just now`, `45 s ago`, `in 3 h 20 min`. Clocks of two machines differ a little: what is just ahead is now. */
function ago(atMs: number, nowMs: number): string {
  const seconds = (nowMs - atMs) / 1_000;
  if (seconds < -5) return `in ${formatDuration(-seconds)}`;
  return seconds < 2 ? 'just now' : `${formatDuration(seconds)} ago`;
}
