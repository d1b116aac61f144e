/** Waiters for a permit, first come first served. */
export interface PermitQueue {
  /** Resolves when it is this waiter's turn to ask again: a call of this process ended, or some time has passed. */
  wait(): Promise<void>;
  /** A call of this process ended: the first waiter may ask. */
  wakeFirst(): void;
}

/**
 * One waiter of a process asks at a time, so a crowded fleet does not drown the store in questions. Calls that end in other
 * processes are not announced, so the first in line asks again after `askAgainMs`.
 */
export function createPermitQueue(askAgainMs: number): PermitQueue {
  const waiters: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;

  function wakeFirst(): void {
    clearTimeout(timer);
    timer = undefined;
    waiters.shift()?.();
    if (waiters.length > 0) timer = setTimeout(wakeFirst, askAgainMs);
  }

  return {
    wait: () =>
      new Promise((resolve) => {
        waiters.push(resolve);
        timer ??= setTimeout(wakeFirst, askAgainMs);
      }),
    wakeFirst,
  };
}
