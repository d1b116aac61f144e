import type { LimitFunction } from 'p-limit';

/** Does `work` once a slot is free; rejects with the signal's reason when that comes first. */
export async function inSlot<T>(limit: LimitFunction, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let giveUp: () => void = () => undefined;
  const left = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason);
  });
  signal.addEventListener('abort', giveUp, { once: true });
  const worked = limit(async () => {
    signal.throwIfAborted();
    // From here on the work itself heeds the signal, and its end is what is waited for.
    signal.removeEventListener('abort', giveUp);
    return work();
  });
  return Promise.race([worked, left]);
}
