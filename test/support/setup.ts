/** What a test opened and must close again. */
export interface TestScope {
  /** Registers a closer; closers run last in, first out. Returns what it was given, for use in place. */
  closing<T>(opened: T, close: (opened: T) => unknown): T;
  /** Runs all closers, also when one fails; rejects with the first failure. */
  close(): Promise<void>;
}

/** The scope of one test. Use it as `await using t = setup()`, or call `close` in `afterEach`. */
export function setup(): TestScope & AsyncDisposable {
  const closers: (() => unknown)[] = [];

  async function close(): Promise<void> {
    const failures: unknown[] = [];
    for (const closer of closers.splice(0).reverse()) {
      try {
        await closer();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    closing: (opened, closer) => {
      closers.push(() => closer(opened));
      return opened;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
