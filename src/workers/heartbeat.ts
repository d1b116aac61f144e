import { setTimeout as sleep } from 'node:timers/promises';
import { mayWork } from '../lib/core/control.js';
import type { Logger } from '../lib/logger.js';
import type { InFlight } from '../lib/store/in-flight.js';
import type { Claims } from './claims.js';
import type { FleetControl } from './fleet-control.js';
import type { Timing } from './timing.js';

export interface HeartbeatDeps {
  readonly claims: Pick<Claims, 'heartbeat' | 'leave'>;
  readonly control: FleetControl;
  readonly inFlight: InFlight;
  readonly timing: Timing;
  readonly log: Logger;
  /** Called when this worker must stop, or may go on, fetching rows. */
  readonly onMayFetch: (mayFetch: boolean) => void;
}

/** A wait this long makes people ask what a worker is doing. */
const WORTH_TELLING_MS = 1_000;

/** This worker as a member of the fleet: it shows that it lives, and learns whether it may fetch rows. */
export class Heartbeat {
  /** Workers alive at the latest heartbeat, this one included; none before the first. */
  workers: readonly string[] = [];
  /** The store may have lost writes, as of the latest heartbeat: nothing is sent before the look at what Zoho has. */
  looking = false;
  /** Whether this worker may fetch rows, as far as the fleet is concerned. */
  mayFetch = true;
  /** Why the latest heartbeat was not answered; null when it was. */
  failure: string | null = null;
  readonly #deps: HeartbeatDeps;
  #answeredAt: number | null = null;
  #notBefore = 0;
  #nap = new AbortController();
  #closed = false;
  #beating: Promise<void> = Promise.resolve();

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
  }

  /** Milliseconds since the store last answered; null before the first answer. */
  answeredAgoMs(): number | null {
    return this.#answeredAt === null ? null : performance.now() - this.#answeredAt;
  }

  /** No row can be sent before `waitMs` (null: before the control state says so), because of `code`. */
  pauseFetching(waitMs: number | null, code: string): void {
    if (waitMs !== null) this.#notBefore = Math.max(this.#notBefore, performance.now() + waitMs);
    if (!this.mayFetch) return;
    if (waitMs !== null && waitMs >= WORTH_TELLING_MS) this.#deps.log.warn('fleet.waiting', { code, waitMs });
    this.#allow(false);
    // The next beat comes at the pace of standing still, also when the last one was a moment ago.
    this.#nap.abort();
  }

  /** Joins the fleet: the first heartbeat has been answered, or refused, when it resolves. */
  async start(): Promise<void> {
    await this.#beat();
    this.#beating = this.#beatUntilClosed();
  }

  /** Ends the heartbeat and takes this worker off the list. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#nap.abort();
    await this.#beating;
    await this.#deps.claims.leave().catch(() => undefined);
  }

  async #beat(): Promise<void> {
    const { claims, control, inFlight, log } = this.#deps;
    try {
      const known = control.current;
      const seen = await claims.heartbeat([...inFlight.calls], inFlight.limits.permitTtlMs);
      this.workers = seen.workers;
      this.looking = seen.history?.look != null;
      this.#answeredAt = performance.now();
      this.failure = null;
      const holds = await control.adopt(seen.control, known);
      this.#allow(performance.now() >= this.#notBefore && !this.looking && mayWork(holds, seen.nowMs));
    } catch (error) {
      this.failure = error instanceof Error ? error.message : String(error);
      log.warn('heartbeat.failed', { message: this.failure });
    }
  }

  async #beatUntilClosed(): Promise<void> {
    const { control, timing } = this.#deps;
    while (!this.#closed) {
      this.#nap = new AbortController();
      // A stop ends when a person says so, who can wait a second.
      const isPatient = this.mayFetch || control.current.mode === 'stopped';
      const napMs = isPatient ? timing.heartbeatMs : timing.waitingHeartbeatMs;
      await sleep(napMs, undefined, { signal: this.#nap.signal }).catch(() => undefined);
      if (!this.#closed) await this.#beat();
    }
  }

  #allow(mayFetch: boolean): void {
    if (mayFetch === this.mayFetch) return;
    this.mayFetch = mayFetch;
    this.#deps.onMayFetch(mayFetch);
  }
}
