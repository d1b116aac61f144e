// The environment of a test file: a temporary folder of its own, deadlines that a busy machine does not reach, and after
// the last test a look at what was left behind. Leftovers are named, ended, and fail the file.
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestEnvironment as NodeEnvironment } from 'jest-environment-node';
import { costsFile, processorSeconds } from './costs.mjs';
import { childProcesses, closeHandle, describeHandle, killAll, openHandles, processesOf } from './leftovers.mjs';

/** What was told to end may take a moment to do so. */
const PATIENCE_MS = 10_000;
/** A deadline is there for a test that hangs. One that is only slow, on a machine that does much else, is no failure. */
const SHORTEST_DEADLINE_MS = 300_000;

/** The embedded engine's folder for sockets whose path would be too long, and npm's for compiled code: they stay for the next. */
const STAYS = /^(zia-[0-9a-f]{16}|node-compile-cache)$/;

export default class FileEnvironment extends NodeEnvironment {
  #folder;
  #outerFolder;
  #path;
  #before;

  constructor(config, context) {
    const outerFolder = process.env.TMPDIR;
    const folder = mkdtempSync(join(process.env.TEST_RUN_FOLDER, 'f-'));
    // Before the parent copies the environment for the tests.
    process.env.TMPDIR = folder;
    super(config, context);
    this.#folder = folder;
    this.#outerFolder = outerFolder;
    this.#path = context.testPath;
    this.#before = {
      handles: new Set(openHandles()),
      children: new Set(childProcesses().map(({ pid }) => pid)),
      processorSeconds: processorSeconds(),
    };
  }

  async handleTestEvent(event, state) {
    if (event.name === 'test_fn_start') giveTime(event.test);
    if (event.name === 'hook_start') giveTime(event.hook);
    if (event.name === 'run_finish') await this.#failOnLeftovers(state);
  }

  async teardown() {
    await super.teardown();
    const cost = { path: this.#path, seconds: processorSeconds() - this.#before.processorSeconds };
    appendFileSync(costsFile(), `${JSON.stringify(cost)}\n`);
    if (this.#outerFolder === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = this.#outerFolder;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #failOnLeftovers(state) {
    const deadline = performance.now() + PATIENCE_MS;
    let left = this.#leftovers();
    while (left.names.length > 0 && performance.now() < deadline) {
      await sleep(25);
      left = this.#leftovers();
    }
    if (left.names.length === 0) return;
    state.unhandledErrors.push(new Error(`This file left something behind:\n${left.names.join('\n')}`));
    killAll(left.processes);
    for (const handle of left.handles) closeHandle(handle);
  }

  #leftovers() {
    const byId = new Map([...processesOf(this.#folder), ...childProcesses()].map((found) => [found.pid, found]));
    const processes = [...byId.values()].filter(({ pid }) => !this.#before.children.has(pid));
    const handles = openHandles().filter((handle) => !this.#before.handles.has(handle));
    const names = [
      ...processes.map(({ pid, command }) => `process ${pid}: ${command}`),
      ...handles.map(describeHandle),
      ...readdirSync(this.#folder)
        .filter((name) => !STAYS.test(name))
        .map((name) => `${name} in the temporary folder`),
    ];
    return { processes, handles, names };
  }
}

function giveTime(entry) {
  entry.timeout = Math.max(entry.timeout ?? 0, SHORTEST_DEADLINE_MS);
}
