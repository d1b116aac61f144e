import type { Logger } from '../logger.js';
import type { Store } from './store.js';

/** The limits that the workers of a fleet were started with; the latest to start tells. */
export interface FleetLimits {
  readonly ratePerSecond: number;
  readonly maxInFlight: number;
}

type NotedLimits = FleetLimits & { readonly workerId: string };

/**
 * Notes the limits of a worker that starts, for those who show the fleet's. Warns when one of `members`, the workers that
 * live, was started with others: pace and calls in flight hold only while all have the same. Safe to repeat.
 */
export async function noteLimits(
  store: Pick<Store, 'document'>,
  { workerId, members, ratePerSecond, maxInFlight }: NotedLimits & { readonly members: readonly string[] },
  log: Logger,
): Promise<void> {
  const document = store.document<NotedLimits>('limits');
  const { value: other } = await document.read();
  await document.change(() => ({ workerId, ratePerSecond, maxInFlight }));
  if (other === null || !members.includes(other.workerId)) return;
  if (other.ratePerSecond === ratePerSecond && other.maxInFlight === maxInFlight) return;
  log.warn('settings.differ', {
    ratePerSecond,
    maxInFlight,
    otherWorkerId: other.workerId,
    otherRatePerSecond: other.ratePerSecond,
    otherMaxInFlight: other.maxInFlight,
  });
}

/** The limits of the worker that started last; null when none ever did. */
export async function fleetLimits(store: Pick<Store, 'document'>): Promise<FleetLimits | null> {
  return (await store.document<FleetLimits>('limits').read()).value;
}
