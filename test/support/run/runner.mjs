// Jest's runner, with the files that measure time one at a time after all others.
import TestRunner from 'jest-runner';
import { runsAlone } from './suites.mjs';

/** One worker, and still a process of its own: what it leaves open does not keep the run from ending. */
class OneAtATime extends TestRunner {
  constructor(globalConfig, context) {
    super({ ...globalConfig, maxWorkers: 1 }, context);
  }
}

export default class Runner extends TestRunner {
  #alone;

  constructor(globalConfig, context) {
    super(globalConfig, context);
    this.#alone = new OneAtATime(globalConfig, context);
  }

  on(eventName, listener) {
    const ends = [super.on(eventName, listener), this.#alone.on(eventName, listener)];
    return () => {
      for (const end of ends) end();
    };
  }

  async runTests(tests, watcher, options) {
    if (options.serial) return super.runTests(tests, watcher, options);
    const alone = tests.filter(({ path }) => runsAlone(path));
    const others = tests.filter(({ path }) => !runsAlone(path));
    if (others.length > 0) await super.runTests(others, watcher, options);
    if (alone.length > 0) await this.#alone.runTests(alone, watcher, options);
  }
}
