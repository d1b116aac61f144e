import type { Store } from './store.js';

/** The limits that the workers of a fleet were started with; the latest to start tells. */
export interface FleetLimits {
  readonly ratePerSecond: number;
  readonly maxInFlight: number;
}

/** Notes the limits of a worker that starts, for those who show the fleet's. Safe to repeat. */
export async function noteLimits(
  store: Pick<Store, 'cell'>,
  { ratePerSecond, maxInFlight }: FleetLimits,
): Promise<void> {
  await store.cell<FleetLimits>('limits').change(() => ({ ratePerSecond, maxInFlight }));
}

/** The limits of the worker that started last; null when none ever did. */
export async function fleetLimits(store: Pick<Store, 'cell'>): Promise<FleetLimits | null> {
  return (await store.cell<FleetLimits>('limits').read()).value;
}
