import { setTimeout as sleep } from 'node:timers/promises';
import {
  afterAnswer,
  type Control,
  decisionsKept,
  type FleetCall,
  type FleetEvent,
  type FleetPolicy,
  INITIAL_CONTROL,
  isOlder,
  mayWork,
} from '../lib/core/control.js';
import type { Logger } from '../lib/logger.js';
import { changeControl } from '../lib/store/change-control.js';
import type { Limits, Reported, Store } from '../lib/store/store.js';
import { createPermitQueue } from './permit-queue.js';
import type { Timing } from './timing.js';

/** This worker as a member of the fleet: its calls in flight, its view of the control state, and what it tells the others. */
export interface Fleet {
  readonly workerId: string;
  readonly limits: Limits;
  readonly timing: Timing;
  /** Aborted when this worker must start nothing new. */
  readonly shutdown: AbortSignal;
  nextCallId(): string;
  /** Keeps the call's permit alive until `callEnded`. */
  callStarted(callId: string): void;
  callEnded(callId: string): void;
  /** Whether this process's own calls hold all permits: then there is no use in asking for one. */
  isFull(): boolean;
  /** The call found no permit. Resolves when asking again is worth while; the call is not kept alive meanwhile. */
  waitForPermit(callId: string): Promise<void>;
  /** Tells the fleet what an answer means; costs a round trip only when the control state changes or `after` is not given. */
  report(event: FleetEvent, call: FleetCall): Promise<void>;
  reported(event: FleetEvent, call: FleetCall, after: Reported): Promise<void>;
  /** A call for events that belong to no claim, such as a refused refresh token. */
  callWithout(row: { readonly key: string; readonly line: number | null }): FleetCall;
  /** Takes note of a control state seen elsewhere. */
  observe(control: Control): void;
  /** No row can be sent before `waitMs` (null: before the control state says so), because of `code`. */
  pauseFetching(waitMs: number | null, code: string): void;
  /** The latest control state seen. */
  readonly control: Control;
  /** The store may have lost writes, as of the latest heartbeat: nothing is sent before the look at what Zoho has. */
  readonly looking: boolean;
  /** Milliseconds since the store last answered a heartbeat; null before the first answer. */
  heartbeatAgoMs(): number | null;
  /** Why the latest heartbeat was not answered; null when it was. */
  readonly heartbeatFailure: string | null;
  /** Whether this worker may fetch rows, as far as the fleet is concerned. */
  readonly working: boolean;
  /** Members alive at the last heartbeat, this one included; none before the first. */
  readonly members: readonly string[];
  /** Joins the fleet: the first heartbeat has been answered when it resolves. */
  start(): Promise<void>;
  /** Ends the heartbeat and takes this worker off the list. Safe to call twice. */
  close(): Promise<void>;
}

export interface FleetSettings {
  readonly workerId: string;
  readonly limits: Limits;
  readonly timing: Timing;
  readonly policy: FleetPolicy;
}

export interface FleetDeps {
  readonly store: Store;
  readonly log: Logger;
  readonly shutdown: AbortSignal;
  readonly random: () => number;
  /** Called when this worker must stop, or may go on, fetching rows. */
  readonly onWork: (allowed: boolean) => void;
}

/** A wait this long makes people ask what a worker is doing. */
const WORTH_TELLING_MS = 1_000;

export function createFleet(settings: FleetSettings, deps: FleetDeps): Fleet {
  const { store, log } = deps;
  const { timing, workerId } = settings;
  const permits = createPermitQueue(timing.askAgainMs);
  const activeCalls = new Set<string>();
  let calls = 0;
  let control: Control = INITIAL_CONTROL;
  let members: readonly string[] = [];
  let working = true;
  let notBefore = 0;
  let nap = new AbortController();
  let closed = false;
  let looking = false;
  let heardAt: number | null = null;
  let heartbeatFailure: string | null = null;
  let beating: Promise<void> = Promise.resolve();

  function observe(next: Control): void {
    if (isOlder(next, control)) return;
    if (next.mode !== control.mode || next.epoch !== control.epoch) logMode(log, next);
    control = next;
  }

  function allow(allowed: boolean): void {
    if (allowed === working) return;
    working = allowed;
    deps.onWork(allowed);
  }

  async function heartbeat(): Promise<void> {
    try {
      const known = control;
      const seen = await store.heartbeat(workerId, [...activeCalls], settings.limits.permitTtlMs);
      members = seen.workers;
      looking = seen.history?.look != null;
      heardAt = performance.now();
      heartbeatFailure = null;
      const current = isOlder(seen.control, known) ? await keepDecisions(known) : seen.control;
      observe(current);
      allow(performance.now() >= notBefore && !looking && mayWork(current, seen.nowMs));
    } catch (error) {
      heartbeatFailure = error instanceof Error ? error.message : String(error);
      log.warn('heartbeat.failed', { message: heartbeatFailure });
    }
  }

  /** The store lost its last writes: its word counts, but for what a person decides. */
  async function keepDecisions(known: Control): Promise<Control> {
    const kept = await changeControl(store.control, (current) => decisionsKept(current, known));
    control = INITIAL_CONTROL;
    return kept.control;
  }

  async function beatUntilClosed(): Promise<void> {
    while (!closed) {
      nap = new AbortController();
      // A stop ends when a person says so, who can wait a second.
      const isPatient = working || control.mode === 'stopped';
      const napMs = isPatient ? timing.heartbeatMs : timing.waitingHeartbeatMs;
      await sleep(napMs, undefined, { signal: nap.signal }).catch(() => undefined);
      if (!closed) await heartbeat();
    }
  }

  async function report(event: FleetEvent, call: FleetCall): Promise<void> {
    const random = deps.random();
    const after = await changeControl(store.control, (current, nowMs) =>
      afterAnswer(current, event, call, settings.policy, nowMs, random),
    );
    observe(after.control);
  }

  return {
    workerId,
    limits: settings.limits,
    timing,
    shutdown: deps.shutdown,
    get control() {
      return control;
    },
    get members() {
      return members;
    },
    get looking() {
      return looking;
    },
    get working() {
      return working;
    },
    get heartbeatFailure() {
      return heartbeatFailure;
    },
    heartbeatAgoMs: () => (heardAt === null ? null : performance.now() - heardAt),
    nextCallId: () => `${workerId}.${++calls}`,
    callStarted: (callId) => activeCalls.add(callId),
    callEnded: (callId) => {
      if (activeCalls.delete(callId)) permits.wakeFirst();
    },
    isFull: () => activeCalls.size >= settings.limits.maxInFlight,
    waitForPermit: (callId) => {
      // It had no permit, so nobody is to be told of one: waiters would ask in turn without end.
      activeCalls.delete(callId);
      return permits.wait();
    },
    report,
    reported: async (event, call, after) => {
      observe(after.control);
      const next = afterAnswer(after.control, event, call, settings.policy, after.nowMs, 0);
      if (next !== after.control) await report(event, call);
    },
    callWithout: ({ key, line }) => ({
      epoch: control.epoch,
      callId: '',
      key,
      line,
      sentAtMs: Number.MAX_SAFE_INTEGER,
    }),
    observe,
    pauseFetching: (waitMs, code) => {
      if (waitMs !== null) notBefore = Math.max(notBefore, performance.now() + waitMs);
      if (!working) return;
      if (waitMs !== null && waitMs >= WORTH_TELLING_MS) log.warn('fleet.waiting', { code, waitMs });
      allow(false);
      // The next beat comes at the pace of standing still, also when the last one was a moment ago.
      nap.abort();
    },
    start: async () => {
      await heartbeat();
      beating = beatUntilClosed();
    },
    close: async () => {
      if (closed) return;
      closed = true;
      nap.abort();
      await beating;
      await store.leave(workerId).catch(() => undefined);
    },
  };
}

function logMode(log: Logger, { mode, epoch, stop, canary }: Control): void {
  if (mode === 'stopped')
    log.error('fleet.stopped', { epoch, code: stop?.code, message: stop?.message, line: stop?.line });
  else if (mode === 'canary') log.warn('fleet.canary', { epoch, cause: canary?.cause });
  else log.info('fleet.running', { epoch });
}
