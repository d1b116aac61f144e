import { setTimeout as sleep } from 'node:timers/promises';

/** How long a page waits for what the engine is asked before it shows what it has. */
export const PATIENCE_MS = 2_000;

/** Whether `work` ends within `limitMs`; rejects when `work` does by then. */
export async function isWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const done = new AbortController();
  const late = sleep(limitMs, false, { signal: done.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    done.abort();
  }
}
