import { afterEach, describe, expect, test } from '@jest/globals';
import { summarise } from '../../src/sandbox/effects.js';
import { ENGINES_IN_TURN } from '../support/engines.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { openCaller } from '../support/sandbox-caller.js';
import { openWorkScene, type WorkScene } from '../support/scene.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

const OPTIONS = {
  // Long enough for a busy machine: an answer that is late leaves a row uncertain, which waits while the fleet stands still.
  settings: { ratePerSecond: 300, maxInFlight: 20, concurrency: 8, requestTimeoutMs: 5_000 },
  timing: { reserveEveryMs: 300, unattendedEveryMs: 100 },
  keep: 100,
} as const;

const stopOf = async ({ engine }: WorkScene) => (await engine.store.control.read()).value?.stop ?? null;
const accepted = ({ sandbox }: WorkScene) => summarise(sandbox.log()).accepted;
const stopped = (scene: WorkScene, code: string) =>
  waitFor(async () => (await stopOf(scene))?.code === code, { what: code });

describe.each(ENGINES_IN_TURN)('a reserve on %s', (kind) => {
  const workers = kind === 'redis' ? 4 : 1;
  const workOff = (scene: WorkScene) => Promise.all(Array.from({ length: workers }, () => scene.workOff(OPTIONS)));

  test('of 100 out of 300 lets 200 rows be submitted, to the row, and none fails', async () => {
    const scene = await openWorkScene(t, kind, { quota: 300, latencyMs: [1, 60] });
    await queueRows(scene.queue, goodRows(260));
    const reports = await workOff(scene);
    expect(reports.map(({ ended }) => ended)).toEqual(reports.map(() => 'stopped'));
    expect(await stopOf(scene)).toMatchObject({ code: 'RESERVE_REACHED' });
    expect(scene.posts()).toHaveLength(200);
    expect(accepted(scene)).toBe(200);
    expect(await scene.engine.counts()).toMatchObject({ waiting: 60, active: 0, delayed: 0, failed: 0 });
  }, 60_000);

  test('holds while another program uses some of the allowance, as of the next answer', async () => {
    const scene = await openWorkScene(t, kind, { quota: 300, latencyMs: [1, 60] });
    await queueRows(scene.queue, goodRows(260));
    const other = await openCaller(scene.sandbox);
    const working = workOff({
      ...scene,
      workOff: (more) => scene.workOff({ ...more, settings: { ...OPTIONS.settings, ratePerSecond: 60 } }),
    });
    await waitFor(() => accepted(scene) > 20, { what: 'the first rows' });
    await Promise.all(Array.from({ length: 50 }, (_, at) => other.schedule(`Another ${at}`)));
    await working;
    expect(await stopOf(scene)).toMatchObject({ code: 'RESERVE_REACHED' });
    expect(accepted(scene)).toBe(200);
    expect((await scene.engine.store.counts()).scheduled).toBe(150);
  }, 60_000);

  test('sends nothing before Zoho has told what is left', async () => {
    const scene = await openWorkScene(t, kind, { quota: 300 });
    await queueRows(scene.queue, goodRows(5));
    scene.sandbox.configure({ allowanceKnown: false, stats: 'several' });
    await workOff(scene);
    expect(await stopOf(scene)).toMatchObject({
      code: 'RESERVE_UNKNOWN',
      message: expect.stringContaining('ZIA_KEEP_ALLOWANCE'),
    });
    expect(scene.posts()).toHaveLength(0);
    scene.sandbox.configure({ allowanceKnown: true });
    await scene.resume();
    await workOff(scene);
    expect(accepted(scene)).toBe(5);
  }, 60_000);

  test('is asked for again by itself, without sending a row, until more is left', async () => {
    const scene = await openWorkScene(t, kind, { quota: 110 });
    await queueRows(scene.queue, goodRows(25));
    const afterLimitMs = 700;
    for (let n = 0; n < workers; n += 1) {
      scene.work({ ...OPTIONS, settings: { ...OPTIONS.settings, resumeAfterLimitMs: afterLimitMs } });
    }
    await stopped(scene, 'RESERVE_REACHED');
    const questions = () => scene.sandbox.log().filter(({ kind: event }) => event === 'other').length;
    const atStop = questions();
    await waitFor(() => questions() >= atStop + 3, { what: 'three questions' });
    expect(scene.posts()).toHaveLength(10);
    expect(await stopOf(scene)).toMatchObject({ code: 'RESERVE_REACHED' });
    scene.sandbox.configure({ quota: 200 });
    await waitFor(() => accepted(scene) === 25, { what: 'the rest' });
    const times = scene.sandbox
      .log()
      .filter(({ kind: event }) => event === 'other')
      .slice(atStop, atStop + 3)
      .map(({ atMs }) => atMs);
    for (const [at, ms] of times.entries()) if (at > 0) expect(ms - (times[at - 1] ?? 0)).toBeGreaterThan(600);
  }, 60_000);
});
