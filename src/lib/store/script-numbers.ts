import { ALLOWANCE_GOOD_MS } from '../core/budget.js';
import { CANARY_LEASE_MS } from '../core/canary.js';
import { CLOCK_TOLERANCE_MS } from '../core/control.js';
import { USED_SHARE } from '../core/estimate.js';

/** The numbers in the scripts of both engines: Lua has them as locals, SQL as `:NAME`. */
export const SCRIPT_NUMBERS: Readonly<Record<string, number>> = {
  USED_SHARE,
  ALLOWANCE_GOOD_MS,
  CLOCK_TOLERANCE_MS,
  CANARY_LEASE_MS,
  /** Node's timers wake early by less than this; a call this early may go. */
  EARLY_MS: 1,
  /** A slot used later than this could put limit + 1 calls into a sliding second: 2% of it is all there is to spare. */
  LATE_MS: 12,
  /** A clock set back must not make the fleet wait for the old time. */
  FARTHEST_SLOT_MS: 600_000,
  /** No permit, and no sign of life of a worker, is kept for longer: one that ends later is from before the clock was set back. */
  MAX_LEASE_MS: 60_000,
  /** How old what lies further ahead than the tolerance is taken for; nobody knows. A worker that ended is as long remembered. */
  LONG_AGO_MS: 86_400_000,
  /** How soon a row asks again that waits for the canary's answer. */
  CANARY_WAIT_MS: 250,
  /** The same of a row that waits for a look into the store's past. */
  LOOK_WAIT_MS: 1_000,
  /** The same of a row that found nothing left while a call in flight may give something back. */
  SPENT_WAIT_MS: 250,
  /** The same of a row that waits for another that stands for it; at least as long as a lost claim takes to be marked as such. */
  RIVAL_WAIT_MS: 1_000,
  /** Several rows may share a name: a few keys for each alias tell as much as all. */
  MAX_ALIAS_OWNERS: 8,
};
