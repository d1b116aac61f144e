import { type DestinationStream, destination, type Level, type Logger as Pino, pino } from 'pino';
import { asStarted } from './invocation.js';
import { redactFields } from './redaction.js';

/** Fields of an event. No tokens, no row contents: ids, counts, codes and times only. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Events, not prose: `event` is `noun.verb`. `error`: a person must act; `warn`: recovering; `info`: lifecycle; `debug`: attempts. */
export interface Logger {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  /** A logger that adds these fields to each of its events. */
  child(fields: LogFields): Logger;
}

/** An event as it is written. */
export interface LogEvent {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly event: string;
  readonly fields: LogFields;
}

interface WrittenEvent {
  readonly level: LogEvent['level'];
  readonly time: string;
  readonly event: string;
}

export interface LoggerOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug' | 'silent';
  /** Values that must never be shown, wherever they turn up. */
  readonly secrets?: readonly string[];
  /** Makes a line, with its line end, in place of JSON: words for a person who reads along. */
  readonly words?: ((event: LogEvent) => string) | undefined;
  /** Where lines go; stderr by default, because stdout belongs to results. */
  readonly stream?: DestinationStream;
}

/**
 * A logger writing one line an event, at once, so that nothing is lost when the process ends. Secrets are hidden. Lines that
 * cannot be written, because a disk is full, say, are left out. What many loops meet at once while the engine is away is
 * told once, then every half minute.
 */
export function createLogger(options: LoggerOptions): Logger {
  const secrets = (options.secrets ?? []).filter((secret) => secret.length >= 6);
  const stream = options.stream ?? standardError();
  const sink = options.words === undefined ? stream : inWords(stream, options.words);
  const log = wrap(
    pino(
      {
        level: options.level,
        base: null,
        messageKey: 'event',
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: {
          level: (label) => ({ level: label }),
        },
      },
      sink,
    ),
    secrets,
  );
  return withoutRepeats(log);
}

/** What waits for a disk that is full; later lines are left out. */
const UNWRITTEN_BYTES = 1_000_000;

/** Without somebody who listens, an error of writing would end the process. */
function standardError(): DestinationStream {
  const stream = destination({ fd: 2, sync: true, maxLength: UNWRITTEN_BYTES });
  stream.on('error', () => undefined);
  return stream;
}

function inWords(stream: DestinationStream, words: (event: LogEvent) => string): DestinationStream {
  return {
    write: (line) => {
      // Pino wrote it a moment ago, in this form.
      const { level, time, event, ...fields } = JSON.parse(line) as LogFields & WrittenEvent;
      return stream.write(words({ level, atMs: Date.parse(time), event, fields }));
    },
  };
}

/** Fields are redacted here rather than by pino, whose own redaction knows paths and not what a text holds. */
function wrap(log: Pino, secrets: readonly string[]): Logger {
  const write =
    (level: Level) =>
    (event: string, fields: LogFields = {}): void => {
      // Redacting costs more than a row's whole way through the ledger, so not for what nobody reads.
      if (log.isLevelEnabled(level)) log[level](redactFields(worded(fields), secrets), event);
    };
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    child: (fields) => wrap(log.child(redactFields(fields, secrets)), secrets),
  };
}

/** Each of several connections and loops meets an engine that is away, many times a second. */
const OUTAGE_EVENTS: ReadonlySet<string> = new Set([
  'engine.error',
  'heartbeat.failed',
  'queue.unreadable',
  'server.watch-failed',
  'store.unavailable',
  'sweep.failed',
]);
const REPEAT_AFTER_MS = 30_000;
const MESSAGES_KEPT = 100;

/** Tells what happened, apart from the code in parentheses, which differs from try to try. */
const withoutCode = (message: unknown) => String(message).replace(/ \([A-Z_]+\)/, '');

/** The events of an outage with one message: the first at once, then one every half minute, which says how many it stands for. */
export function withoutRepeats(log: Logger, nowMs: () => number = () => performance.now()): Logger {
  const told = new Map<string, { atMs: number; left: number }>();

  function isWorthTelling(event: string, fields: LogFields = {}): LogFields | null {
    if (!OUTAGE_EVENTS.has(event)) return fields;
    const key = withoutCode(fields.message);
    const last = told.get(key);
    if (last !== undefined && nowMs() - last.atMs < REPEAT_AFTER_MS) {
      last.left += 1;
      return null;
    }
    if (told.size >= MESSAGES_KEPT) told.clear();
    told.set(key, { atMs: nowMs(), left: 0 });
    return last === undefined || last.left === 0 ? fields : { ...fields, repeats: last.left };
  }

  function over(inner: Logger): Logger {
    const tell = (level: 'error' | 'warn') => (event: string, fields?: LogFields) => {
      const worth = isWorthTelling(event, fields);
      if (worth !== null) inner[level](event, worth);
    };
    return {
      error: tell('error'),
      warn: tell('warn'),
      info: inner.info,
      debug: inner.debug,
      child: (fields) => over(inner.child(fields)),
    };
  }
  return over(log);
}

/** A message may name commands. */
function worded(fields: LogFields): LogFields {
  return typeof fields.message === 'string' ? { ...fields, message: asStarted(fields.message) } : fields;
}
