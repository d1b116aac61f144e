import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Default two minutes: a deadline for what never comes, long enough for a machine that does much else. */
  readonly timeoutMs?: number;
  /** What is waited for, for the error message. */
  readonly what?: string;
}

/**
 * Polls until the condition yields something other than false or undefined, and returns that. Rejects at the deadline. Between two
 * looks it rests as long as a look takes, so that what is waited for has the machine as well.
 */
export async function waitFor<T>(
  condition: () => Promise<T | false | undefined> | T | false | undefined,
  { timeoutMs = 120_000, what = 'the condition' }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const startedAtMs = performance.now();
    const value = await condition();
    if (value !== false && value !== undefined) return value;
    const nowMs = performance.now();
    if (nowMs > deadline) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}.`);
    await sleep(Math.max(10, nowMs - startedAtMs));
  }
}
