import { type EventEmitter, setMaxListeners } from 'node:events';
import { constants } from 'node:os';
import type { Logger } from './logger.js';

export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';
type Closer = () => Promise<void> | void;

export interface ShutdownOptions {
  /** Time from the first signal to the end of the process, closers included. */
  readonly deadlineMs: number;
  readonly log: Logger;
  /** Where signals come from; the process by default. */
  readonly signals?: EventEmitter;
  /** Ends the process at once; `process.exit` by default. */
  readonly exit?: (code: number) => void;
}

/** The end of a command: signals, and what to close in which order. */
export interface Shutdown {
  /** Aborted by the first signal: finish what is under way, start nothing. */
  readonly signal: AbortSignal;
  /** The first signal received, or null. */
  readonly received: EndSignal | null;
  /** Runs `closer` at the end, before everything registered earlier. */
  onClose(name: string, closer: Closer): void;
  /** Runs all closers, last registered first, each once; one that throws is logged and the rest still run. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * npm hands a Ctrl-C on to its child, which the terminal has told already: the same signal twice within a moment is one wish.
 */
const SAME_WISH_MS = 500;
const SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Exit code of a process that this signal ended: 130, 143, or 129 of a closed terminal. */
export function signalExitCode(signal: EndSignal): number {
  return 128 + constants.signals[signal];
}

/**
 * Listens for SIGINT, SIGTERM and SIGHUP until `close`: the first asks for a graceful end, the second, or the deadline,
 * ends the process now with 130, 143 or 129. A terminal that closes says SIGHUP, some of them several times: it is never
 * the second.
 */
export function createShutdown(options: ShutdownOptions): Shutdown {
  const { log, signals = process, exit = (code) => process.exit(code) } = options;
  const controller = new AbortController();
  // Every row a worker holds may wait for the end at the same time.
  setMaxListeners(0, controller.signal);
  const closers: { readonly name: string; readonly closer: Closer }[] = [];
  let received: EndSignal | null = null;
  let receivedAt = 0;
  let deadline: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;

  function begin(signal: EndSignal): void {
    received = signal;
    receivedAt = performance.now();
    log.info('shutdown.started', { signal, deadlineMs: options.deadlineMs });
    deadline = setTimeout(() => {
      log.error('shutdown.deadline-passed', { deadlineMs: options.deadlineMs });
      exit(signalExitCode(signal));
    }, options.deadlineMs);
    deadline.unref();
    controller.abort();
  }

  function onSignal(signal: EndSignal): void {
    if (received === null) {
      begin(signal);
    } else if (signal !== 'SIGHUP' && performance.now() - receivedAt >= SAME_WISH_MS) {
      log.warn('shutdown.forced', { signal });
      exit(signalExitCode(signal));
    }
  }

  async function close(): Promise<void> {
    for (const { name, closer } of closers.splice(0).reverse()) {
      try {
        await closer();
      } catch (error) {
        log.warn('shutdown.closer-failed', { name, message: error instanceof Error ? error.message : String(error) });
      }
    }
    clearTimeout(deadline);
    for (const signal of SIGNALS) signals.off(signal, onSignal);
  }

  for (const signal of SIGNALS) signals.on(signal, onSignal);
  return {
    signal: controller.signal,
    get received() {
      return received;
    },
    onClose: (name, closer) => {
      closers.push({ name, closer });
    },
    close: () => (closing ??= close()),
  };
}
