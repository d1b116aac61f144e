import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 2;

/** How late this process was, at worst, since the call, in milliseconds: on a busy machine calls that left apart arrive together. */
export function watchLateness(): () => number {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  return () => Math.max(0, delay.max / 1e6 - RESOLUTION_MS);
}

/** The most calls that a sliding second may hold at `perSecond` where each may be seen so much later than it was due. */
export function mostInASecond(perSecond: number, latenessMs: number): number {
  return Math.ceil(perSecond * (1 + latenessMs / 1_000));
}
