import type { Logger } from '../logger.js';

interface ErrorSource {
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** An `error` event nobody listens to would end the process; connections come back by themselves. Returns the source. */
export function logEngineErrors<S extends ErrorSource>(source: S, log: Logger, explain: (error: unknown) => Error): S {
  source.on('error', (error) => {
    log.warn('engine.error', { message: explain(error).message, code: codeOf(error) });
  });
  return source;
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
