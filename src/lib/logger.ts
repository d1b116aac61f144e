import { type DestinationStream, destination, type Level, type Logger as Pino, pino } from 'pino';
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

export interface LoggerOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug' | 'silent';
  /** Values that must never be shown, wherever they turn up. */
  readonly secrets?: readonly string[];
  /** Readable lines instead of JSON. */
  readonly pretty?: boolean;
  /** Where lines go; stderr by default, because stdout belongs to results. */
  readonly stream?: DestinationStream;
}

/** A logger writing one line an event, at once, so that nothing is lost when the process ends. Secrets are hidden. */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const secrets = (options.secrets ?? []).filter((secret) => secret.length >= 6);
  const stream = options.stream ?? destination({ fd: 2, sync: true });
  const sink = options.pretty === true ? await readable(stream) : stream;
  return wrap(
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
}

/** Loaded only where somebody reads along: it is large. */
async function readable(destinationStream: DestinationStream): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const format = prettyFactory({
    messageKey: 'event',
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    colorize: process.stderr.hasColors?.() ?? false,
  });
  return { write: (line) => destinationStream.write(format(line) ?? '') };
}

/** Fields are redacted here rather than by pino, whose own redaction knows paths and not what a text holds. */
function wrap(log: Pino, secrets: readonly string[]): Logger {
  const write =
    (level: Level) =>
    (event: string, fields: LogFields = {}): void => {
      // Redacting costs more than a row's whole way through the ledger, so not for what nobody reads.
      if (log.isLevelEnabled(level)) log[level](redactFields(fields, secrets), event);
    };
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    child: (fields) => wrap(log.child(redactFields(fields, secrets)), secrets),
  };
}
