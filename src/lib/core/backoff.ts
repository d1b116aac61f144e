export interface BackoffPolicy {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * Delay before the next attempt, in milliseconds: an integer in [cap/2, cap] of the exponential step `baseMs * 2^(attempt-1)`,
 * never above `policy.capMs`. Half of each step is fixed, so a retry storm both thins out and spreads.
 * Pure: `random` is a number in [0, 1). `attempt` counts from 1; throws RangeError below that.
 */
export function backoffMs(attempt: number, policy: BackoffPolicy, random: number): number {
  if (!(attempt >= 1)) throw new RangeError(`attempt counts from 1, got ${attempt}`);
  const step = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt - 1, 52));
  return Math.round(step / 2 + (step / 2) * random);
}
