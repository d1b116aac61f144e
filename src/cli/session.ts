import { setFlagsFromString } from 'node:v8';
import { readEnvironment } from '../lib/config/environment.js';
import { type Config, loadConfig, requireCredentials, type ZohoAccount } from '../lib/config.js';
import { assertReadable } from '../lib/csv/input-file.js';
import type { Engine } from '../lib/engine/engine.js';
import { openEngine } from '../lib/engine/open-engine.js';
import { InterruptedError } from '../lib/errors.js';
import { createLogger, type Logger } from '../lib/logger.js';
import { createShutdown, type Shutdown, signalExitCode } from '../lib/shutdown.js';
import type { OpenZoho } from '../lib/zoho/open-zoho.js';
import { accountOf, bindAccount } from './account.js';
import { typedPath } from './input.js';
import { chooseEngine, type EngineKind, rememberEngine } from './last-engine.js';
import { writeAbove } from './live-area.js';
import { logLine } from './log-words.js';
import { isWatched, note } from './terminal.js';

export interface SessionOptions {
  readonly engine?: EngineKind | undefined;
  readonly kind: CommandKind;
  /** The CSV file that the command reads, as typed: looked at before an account is asked for and an engine is opened. */
  readonly file?: string | undefined;
  /** The command talks to Zoho: it does not start without credentials. */
  readonly needsAccount?: boolean;
  /** What a person is told who interrupted it, when the command could not tell itself; the default fits its kind. */
  readonly interrupted?: string;
}

/**
 * A `service` runs until told to end and tells what it does; a `batch` ends by itself, and both wait for an engine that
 * went away to come back; a `producer` and a `question` give up within seconds, because starting them again is safe.
 */
export type CommandKind = 'service' | 'batch' | 'producer' | 'question';

/**
 * How V8 compiles the embedded database. Optimizing it took more than half the processor time of a short command: `status`
 * 3.2 s, 2.1 s with the later optimizing that is the default from Node 24 on, 1.5 s without any; it ends before it pays.
 * (`--liftoff-only` says the same, but from Node 24 on only to those who say it before Node starts.)
 */
const COMPILE_ONCE = '--no-wasm-tier-up --no-wasm-dynamic-tiering';
const OPTIMIZE_LATE = '--wasm-tiering-budget=13000000';
/**
 * Up to here a command ends before optimizing pays: `enqueue` of 77 kB took 2.3 s of processor time in place of 4.2, of
 * 400 kB 3.8 in place of 5.7, of 1.6 MB 9.3 in place of 9.5, the last with 60 MB less memory.
 */
const SMALL_FILE_BYTES = 1_000_000;

export interface OpeningOptions extends Pick<SessionOptions, 'kind' | 'interrupted'> {
  /** The command reads little and asks the database little; so does every question. */
  readonly isShort?: boolean;
}

/** What a command works with: configuration, engine, log and the end of it all. */
export interface Session {
  readonly config: Config;
  readonly engine: Engine;
  readonly log: Logger;
  readonly shutdown: Shutdown;
  /** The account, when the command needs it or the credentials are there. */
  readonly account: ZohoAccount | null;
  /** The one way of this process to the account: opened by the first who asks, closed with the session. Throws without an account. */
  readonly zoho: () => Promise<OpenZoho>;
}

/** A session before it is known for which account. */
export type Opened = Omit<Session, 'account' | 'zoho'>;

/** After the first signal, what the worker's own deadline does not cover: closing queues and the engine. */
export const CLOSING_MS = 10_000;

/** Opens a session from the environment, runs `work` with it, and closes everything it opened, whatever happens. */
export async function withSession(
  options: SessionOptions,
  work: (session: Session) => Promise<number>,
): Promise<number> {
  const config = loadConfig(readEnvironment());
  const bytes = options.file === undefined ? 0 : await assertReadable(typedPath(options.file));
  const account = accountOf(config.zoho, options.needsAccount ?? false);
  const engineConfig = await chooseEngine(config.engine, options.engine);
  // A service goes on until optimizing has paid.
  const isShort = options.kind !== 'service' && bytes < SMALL_FILE_BYTES;
  return withEngine({ ...config, engine: engineConfig }, { ...options, isShort }, async (opened) => {
    await rememberEngine(engineConfig, opened.log);
    if (account !== null) await bindAccount(opened.engine.store, account);
    return work(sessionOf(opened, account));
  });
}

/** The session of this account. Asks nothing and opens nothing yet. */
export function sessionOf(opened: Opened, account: ZohoAccount | null): Session {
  let zoho: Promise<OpenZoho> | undefined;
  return { ...opened, account, zoho: () => (zoho ??= openZohoOf(opened, account)) };
}

async function openZohoOf({ engine, config, log, shutdown }: Opened, account: ZohoAccount | null): Promise<OpenZoho> {
  // Loaded only for those who ask: the HTTP client is a fifth of the program.
  const { openZohoWith } = await import('./command-zoho.js');
  const { requestTimeoutMs } = config.work;
  const zoho = openZohoWith(account ?? requireCredentials(config.zoho), engine.store, requestTimeoutMs, log);
  shutdown.onClose('zoho', () => zoho.close());
  return zoho;
}

const GOES_ON = 'Interrupted; the same command goes on where it was.';

/** What interrupting a command that only reads comes to. */
export const NOTHING_CHANGED = 'Interrupted. Nothing was changed.';

/** What interrupting a command that only writes this file comes to; `-` is stdout. */
export function notWritten(out: string | undefined): string {
  return out === '-'
    ? 'Interrupted: what was written is not all of it.'
    : 'Interrupted. No file was written; the same command begins anew.';
}

/** What interrupting a command that changes one thing of the fleet comes to. */
export const SEE_STATUS = 'Interrupted; `npm run status` says how things stand.';

/** The part of a session that depends on nothing but a configuration. */
export async function withEngine(
  config: Config,
  options: OpeningOptions,
  work: (opened: Opened) => Promise<number>,
): Promise<number> {
  const { kind } = options;
  const log = openLog(config, kind);
  const shutdown = createShutdown({ deadlineMs: config.work.shutdownDeadlineMs + CLOSING_MS, log });
  try {
    const engine = await openEngineFor(options, config.engine, log);
    shutdown.onClose('engine', () => engine.close());
    const profile = config.profile === undefined ? '' : `profile ${config.profile}, `;
    note(`${profile}engine: ${engine.description}, queue ${engine.queueName}`);
    return await work({ config, engine, log, shutdown });
  } catch (error) {
    if (shutdown.received === null) throw error;
    if (!isAbort(error)) throw bySignal(error, shutdown);
    note(options.interrupted ?? (kind === 'question' ? NOTHING_CHANGED : GOES_ON));
    return signalExitCode(shutdown.received);
  } finally {
    await shutdown.close();
  }
}

/** The engine as a command of this kind needs it. The caller closes it; rejects as `openEngine` does. */
export function openEngineFor(
  { kind, isShort = false }: OpeningOptions,
  settings: Config['engine'],
  log: Logger,
): Promise<Engine> {
  setFlagsFromString(kind === 'question' || isShort ? COMPILE_ONCE : OPTIMIZE_LATE);
  return openEngine({ ...settings, failFast: kind === 'question' || kind === 'producer' }, log);
}

/** The error of a question that a signal ended, with the signal's exit code: Ctrl-C at a prompt is a key and no signal. */
export function bySignal(error: unknown, { received }: Pick<Shutdown, 'received'>): unknown {
  if (!(error instanceof InterruptedError) || received === null) return error;
  return new InterruptedError(error.message, { cause: error.cause, exitCode: signalExitCode(received) });
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** Commands that end by themselves tell only what goes wrong; a question's own failure is its error message. */
const LOG_LEVELS = { service: 'info', batch: 'warn', producer: 'error', question: 'error' } as const;

/** The log of a command. */
export function openLog(config: Config, kind: CommandKind): Logger {
  return createLogger({
    level: config.logLevel ?? LOG_LEVELS[kind],
    ...(isWatched() && { words: logLine, stream: { write: writeAbove } }),
    secrets: [config.zoho.clientSecret, config.zoho.refreshToken, config.dashboard.password, config.notify.url].filter(
      isText,
    ),
  });
}

function isText(value: string | undefined): value is string {
  return value !== undefined;
}
