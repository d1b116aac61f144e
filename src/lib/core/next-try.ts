import type { Control } from './control.js';

/** When the fleet tries again by itself, on the store's clock; null when only a person resumes it. */
export function nextTryMs({ mode, stop }: Pick<Control, 'mode' | 'stop'>, afterLimitMs: number): number | null {
  if (afterLimitMs <= 0 || mode !== 'stopped' || stop?.code !== 'LIMIT_EXCEEDED') return null;
  return stop.sinceMs + afterLimitMs;
}
