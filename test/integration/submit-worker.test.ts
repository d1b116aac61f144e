import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Outcome } from '../../src/lib/core/outcome.js';
import type { Fleet } from '../../src/workers/fleet.js';
import { createSubmitWorker } from '../../src/workers/submit-worker.js';
import { ENGINE_KINDS, openTestEngine, quietLog } from '../support/engines.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { setup, type TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

describe.each(ENGINE_KINDS)('a worker on %s', (kind) => {
  let t: TestScope;
  beforeEach(() => {
    t = setup();
  });
  afterEach(() => t.close());

  test('waits before it tries a row again after a surprise, though the job names no backoff', async () => {
    const { engine } = t.closing(await openTestEngine(kind), (opened) => opened.close());
    const queue = t.closing(engine.openQueue(), (opened) => opened.close());
    const triedAtMs: number[] = [];
    const submit = async (): Promise<Outcome> => {
      triedAtMs.push(performance.now());
      throw new Error('a surprise');
    };
    const worker = createSubmitWorker(
      { concurrency: 1, lockDurationMs: 30_000, stalledCheckMs: 5_000, backoff: { baseMs: 60_000, capMs: 60_000 } },
      // A surprise tells the fleet nothing.
      { engine, fleet: {} as Fleet, log: quietLog, random: () => 0.5, submit, onFetch: () => undefined },
    );
    t.closing(worker, (running) => running.close());
    void worker.run();
    await queueRows(queue, goodRows(1));
    await waitFor(async () => (await engine.counts()).delayed === 1, { what: 'the delayed job' });
    expect(triedAtMs).toHaveLength(1);
  });
});
