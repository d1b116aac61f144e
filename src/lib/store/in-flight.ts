import type { Limits } from './store.js';

/** The calls of this process that hold a permit or ask for one, and who waits for a permit. */
export interface InFlight {
  readonly limits: Limits;
  /** Their ids; each heartbeat keeps their permits alive. */
  readonly calls: ReadonlySet<string>;
  newCallId(): string;
  /** Keeps the call's permit alive until `end`. */
  start(callId: string): void;
  end(callId: string): void;
  /** Whether this process's own calls hold all permits: then there is no use in asking for one. */
  isFull(): boolean;
  /** The call found no permit. Resolves when asking again is worth while; the call is not kept alive meanwhile. */
  waitForPermit(callId: string): Promise<void>;
}

/**
 * One waiter of a process asks at a time, so a crowded fleet does not drown the store in questions. Calls that end in other
 * processes are not announced, so the first in line asks again after `askAgainMs`.
 */
export function createInFlight(workerId: string, limits: Limits, askAgainMs: number): InFlight {
  const calls = new Set<string>();
  const waiters: (() => void)[] = [];
  let made = 0;
  let timer: NodeJS.Timeout | undefined;

  function wakeFirst(): void {
    clearTimeout(timer);
    timer = undefined;
    waiters.shift()?.();
    if (waiters.length > 0) timer = setTimeout(wakeFirst, askAgainMs);
  }

  return {
    limits,
    calls,
    newCallId: () => `${workerId}.${++made}`,
    start: (callId) => calls.add(callId),
    end: (callId) => {
      if (calls.delete(callId)) wakeFirst();
    },
    isFull: () => calls.size >= limits.maxInFlight,
    waitForPermit: (callId) => {
      // It had no permit, so nobody is to be told of one: waiters would ask in turn without end.
      calls.delete(callId);
      return new Promise((resolve) => {
        waiters.push(resolve);
        timer ??= setTimeout(wakeFirst, askAgainMs);
      });
    },
  };
}
