import type { Logger } from '../logger.js';
import type { Engine, EngineWarning } from './engine.js';

/** What an operator should change about the engine, one sentence each; empty when all is well. Rejects when it is away. */
export async function engineWarnings(engine: Pick<Engine, 'inspect'>): Promise<readonly EngineWarning[]> {
  return (await engine.inspect()).warnings;
}

/** Logs the warnings of the engine; never rejects, because the work goes on without them. */
export async function logEngineWarnings(engine: Pick<Engine, 'inspect'>, log: Logger): Promise<void> {
  try {
    for (const { code, message } of await engineWarnings(engine)) log.warn('engine.warning', { code, message });
  } catch (error) {
    log.warn('engine.warning', {
      code: 'NOT_INSPECTED',
      message: error instanceof Error ? error.message : String(error),
    });
  }
}
