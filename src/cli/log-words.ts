import { formatCount, formatDuration, formatRows } from '../lib/core/format.js';
import type { LogEvent } from '../lib/logger.js';
import { coloursOf, wrapped } from './terminal.js';

type Fields = LogEvent['fields'];

const number = (value: Fields[string]): number => (typeof value === 'number' ? value : 0);
const seconds = (ms: Fields[string]): string => formatDuration(number(ms) / 1_000);
const text = (value: Fields[string]): string => (value === undefined || value === null ? '' : String(value));

/** Why a worker waits, by the code of its log event. */
const WAITING: Readonly<Record<string, string>> = {
  THROTTLED: 'Zoho asked for fewer calls',
  OUTAGE: 'Zoho cannot be reached',
  CANARY: 'one row is tested first',
  STOPPED: 'sending is stopped',
  TOKEN: 'the access token is renewed',
  DOUBTS: 'rows whose reply got lost are checked with Zoho first',
  SERVER_CHANGED: 'Zoho’s list is read first, for the store may have lost writes',
};

/** A code for people: the system's own, such as ENOTFOUND, say of themselves only that nobody was reached. */
function cause(code: Fields[string]): string {
  const name = text(code);
  if (/^E[A-Z_]+$/.test(name)) return `${WAITING.OUTAGE} (${name})`;
  return WAITING[name] ?? name.toLowerCase().replaceAll('_', ' ');
}

/** Events in words, for those that a person meets; all others are told by their name and fields. */
const WORDS: Readonly<Record<string, (fields: Fields) => string>> = {
  'worker.started': ({ concurrency }) => `Worker started, ${text(concurrency)} rows at a time`,
  'worker.ended': () => 'Worker ended',
  'fleet.waiting': ({ code, waitMs }) => `Waiting ${seconds(waitMs)}: ${cause(code)}`,
  'fleet.stopped': ({ code, message }) => `STOPPED (${text(code)}): ${text(message)}`,
  'fleet.canary': ({ cause }) =>
    cause === 'outage' ? 'Zoho could not be reached: testing with one row' : 'Resumed: testing with one row first',
  'fleet.running': () => 'Sending',
  'row.failed': ({ line, code, message }) =>
    `${line === undefined || line === null ? 'A row' : `The row on line ${text(line)}`} failed (${text(code)}): ${text(message)}`,
  'row.held': ({ reason }) => `A row needs your decision (${text(reason)}): Zoho may or may not have it`,
  'row.adopted': () => 'A row whose reply got lost was found at Zoho',
  'row.cleared': () => 'A row whose reply got lost is not at Zoho: it is sent again',
  'results.collected': ({ rows: found }) => `${formatRows(number(found))} with a result`,
  'results.refused': ({ code }) => `Zoho does not let us read results (${text(code)})`,
  'token.refreshed': () => 'Logged in to Zoho',
  'token.refresh-failed': ({ code }) => `Zoho gave no access token: ${cause(code)}`,
  'token.rejected': () => 'Zoho refused the access token: a new one is asked for',
  'history.look-due': ({ sign }) =>
    sign === 'start'
      ? 'Before anything is sent, Zoho’s list is read for rows that this store may not know of'
      : 'The store may have lost writes: Zoho’s list is read before anything is sent',
  'history.look-unavailable': ({ code }) => `Zoho’s list cannot be read yet: ${cause(code)}`,
  'history.looked': () => 'Zoho’s list is read',
  'history.not-looked': ({ code, message }) => text(message) || `Zoho does not let us read its list (${text(code)})`,
  'history.written-back': ({ rows: lost }) => `${formatRows(number(lost))} that the store had lost written back`,
  'result.given-up': ({ ageHours }) => `A row has no result after ${text(ageHours)} h and is no longer asked for`,
  'result.not-kept': ({ reason }) => `The result of a row is not kept: ${text(reason)}`,
  'shutdown.started': () => 'Ending: calls in flight are finished',
  'shutdown.forced': () => 'Ending at once',
  'lookup.unavailable': ({ code, rows: due }) =>
    `${formatRows(number(due))} cannot be checked with Zoho now (${text(code)})`,
};

/** `metrics.started` is `Metrics started`. */
function plain(event: string, { message, ...fields }: Fields): string {
  const name = event.replace(/[._-]/g, ' ');
  const title = name.charAt(0).toUpperCase() + name.slice(1);
  const values = Object.entries(fields).map(
    ([key, value]) => `${key} ${typeof value === 'number' ? formatCount(value) : text(value)}`,
  );
  // A message is a sentence for people, and says what the fields say.
  if (message !== undefined) return `${title}: ${text(message)}`;
  return values.length === 0 ? title : `${title}: ${values.join(', ')}`;
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/** A log line for a person at a terminal, in local time; broken at words. */
export function logLine({ level, atMs, event, fields }: LogEvent): string {
  const colours = coloursOf(process.stderr);
  const paint = { error: colours.red, warn: colours.yellow, info: (line: string) => line, debug: colours.dim }[level];
  const words = WORDS[event]?.(fields) ?? plain(event, fields);
  return `${wrapped(`${colours.dim(CLOCK.format(atMs))} ${paint(words)}`, process.stderr)}\n`;
}
