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
