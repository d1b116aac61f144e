import type { Control } from './control.js';

/**
 * When the fleet tries again by itself, on the store's clock; null when only a person resumes it. After LIMIT_EXCEEDED it tries
 * with a row; after RESERVE_REACHED it asks Zoho what is left, and again so long after the answer.
 */
export function nextTryMs(
  { mode, stop, reserve }: Pick<Control, 'mode' | 'stop' | 'reserve'>,
  afterLimitMs: number,
): number | null {
  if (afterLimitMs <= 0 || mode !== 'stopped' || stop === null) return null;
  switch (stop.code) {
    case 'LIMIT_EXCEEDED':
      return stop.sinceMs + afterLimitMs;
    case 'RESERVE_REACHED':
      return Math.max(stop.sinceMs, reserve?.askedAtMs ?? 0) + afterLimitMs;
    default:
      return null;
  }
}
