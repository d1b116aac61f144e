import { afterEach, describe, expect, test } from '@jest/globals';
import { INITIAL_CONTROL } from '../../src/lib/core/control.js';
import { readBudget, setBudget } from '../../src/lib/store/set-budget.js';
import { summarise } from '../../src/sandbox/effects.js';
import { ENGINES_IN_TURN } from '../support/engines.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { answering, openWorkScene, refusal, type WorkScene } from '../support/scene.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

// On a busy machine no answer is to be lost for want of time.
const SETTINGS = { ratePerSecond: 2_000, maxInFlight: 20, concurrency: 8, requestTimeoutMs: 10_000 };
const THROTTLED = answering(429, refusal('TOO_MANY_REQUESTS'));

const stopOf = async ({ engine }: WorkScene) => (await engine.store.control.read()).value?.stop ?? null;
const accepted = ({ sandbox }: WorkScene) => summarise(sandbox.log());

describe.each(ENGINES_IN_TURN)('a budget on %s', (kind) => {
  // The embedded engine has one worker.
  const workers = kind === 'redis' ? 4 : 1;
  const workOff = (scene: WorkScene) =>
    Promise.all(Array.from({ length: workers }, () => scene.workOff({ settings: SETTINGS })));

  test('is what the fleet submits: not a row more, none fails, and what is raised goes through', async () => {
    const scene = await openWorkScene(t, kind, { latencyMs: [1, 30] });
    const { engine, queue } = scene;
    const budget = kind === 'redis' ? 250 : 40;
    await queueRows(queue, goodRows(2 * budget + 30));
    await setBudget(engine.store, budget);
    for (const total of [budget, 2 * budget]) {
      const reports = await workOff(scene);
      expect(reports.map(({ ended }) => ended)).toEqual(reports.map(() => 'stopped'));
      expect(accepted(scene)).toMatchObject({ accepted: total, acceptedTwice: 0 });
      expect(scene.posts()).toHaveLength(total);
      expect(await stopOf(scene)).toMatchObject({
        code: 'BUDGET_SPENT',
        message: expect.stringContaining(`${budget} rows`),
      });
      expect(await engine.counts()).toMatchObject({
        waiting: 2 * budget + 30 - total,
        active: 0,
        delayed: 0,
        failed: 0,
      });
      // Setting one does not resume.
      expect(await setBudget(engine.store, budget)).toMatchObject({
        budget: { left: budget, rows: budget },
        control: { mode: 'stopped' },
      });
      await scene.resume();
    }
    const reports = await workOff(scene);
    expect(reports.map(({ ended }) => ended)).toEqual(reports.map(() => 'idle'));
    expect(accepted(scene)).toMatchObject({ accepted: 2 * budget + 30, acceptedTwice: 0 });
    expect(await readBudget(engine.store)).toMatchObject({ budget: { left: budget - 30 } });
  }, 60_000);

  test('of exactly as many rows ends without a stop, and the 429 answers at its end leave none unused', async () => {
    const scene = await openWorkScene(t, kind, { latencyMs: [1, 30] });
    await queueRows(scene.queue, goodRows(40));
    await setBudget(scene.engine.store, 40);
    scene.sandbox.configure({ faults: [{ ...THROTTLED, share: 0.3 }] });
    const reports = await workOff(scene);
    expect(reports.map(({ ended }) => ended)).toEqual(reports.map(() => 'idle'));
    expect(accepted(scene)).toMatchObject({ accepted: 40, acceptedTwice: 0 });
    expect(await stopOf(scene)).toBeNull();
    expect(await readBudget(scene.engine.store)).toMatchObject({ budget: { left: 0, rows: 40 } });
  }, 60_000);

  test('counts what may have been accepted, and has it back when Zoho turns out not to have it', async () => {
    const scene = await openWorkScene(t, kind, { latencyMs: [1, 10] });
    const { engine, queue } = scene;
    // The positive control: this account shows what it was sent.
    await queueRows(queue, goodRows(5, 'Known'));
    await scene.workOff({ settings: SETTINGS });
    await queueRows(queue, goodRows(30));
    await setBudget(engine.store, 20);
    // Nothing is accepted, and nobody knows it.
    scene.sandbox.configure({ faults: [{ kind: 'cut-before', on: 'post', share: 1, times: 2 }] });
    const worker = scene.work({ settings: { ...SETTINGS, requestTimeoutMs: 400 } });
    await waitFor(async () => (await stopOf(scene)) !== null, { what: 'the stop' });
    expect(await stopOf(scene)).toMatchObject({ code: 'BUDGET_SPENT' });
    expect(accepted(scene)).toMatchObject({ accepted: 25, acceptedTwice: 0 });
    worker.end();
    await worker.ended;
  }, 60_000);

  test('is spent by a canary too, and stops again at once when nothing is left', async () => {
    const scene = await openWorkScene(t, kind);
    const { engine, queue } = scene;
    await queueRows(queue, goodRows(5));
    await engine.store.control.change(() => ({
      ...INITIAL_CONTROL,
      mode: 'stopped',
      stop: { code: 'PAUSED', message: '', sinceMs: 0, key: null, line: null },
    }));
    await setBudget(engine.store, 1);
    await scene.resume();
    await workOff(scene);
    expect(scene.posts()).toHaveLength(1);
    await scene.resume();
    await workOff(scene);
    expect(await stopOf(scene)).toMatchObject({ code: 'BUDGET_SPENT' });
    expect(scene.posts()).toHaveLength(1);
    await setBudget(engine.store, null);
    await scene.resume();
    await workOff(scene);
    expect(accepted(scene)).toMatchObject({ accepted: 5 });
  }, 60_000);
});
