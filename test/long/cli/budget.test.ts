import { expect, test } from '@jest/globals';
import { summarise } from '../../../src/sandbox/effects.js';
import { type Scene, withScene } from '../../support/cli-scene.js';

const QUIET = { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 };
const WORK = ['worker', '--until-idle', '--no-wait'];
const json = async (t: Scene, words: readonly string[], env = {}) =>
  JSON.parse((await t.run([...words, '--json'], env)).stdout);

test(
  'four workers, 20 in flight, submit a budget to the row and exit with 4; when it is raised the rest goes through',
  () =>
    withScene('redis', { ...QUIET, latencyMs: [5, 40] }, async (t) => {
      const env = { ZIA_MAX_IN_FLIGHT: '20', ZIA_METRICS_PORT: '0' };
      const file = await t.csv('a.csv', 300);
      expect((await t.run(['enqueue', file])).code).toBe(0);
      expect(await json(t, ['budget', '250'])).toEqual({ budget: { left: 250, rows: 250 }, stop: null });
      const ended = await Promise.all([1, 2, 3, 4].map(() => t.start(WORK, env).ended));
      expect(ended.map(({ code }) => code)).toEqual([4, 4, 4, 4]);
      expect(t.sandbox.log().filter(({ kind }) => kind === 'post')).toHaveLength(250);
      expect(summarise(t.sandbox.log())).toMatchObject({ accepted: 250, acceptedTwice: 0 });
      expect(await json(t, ['status'])).toMatchObject({
        stop: { code: 'BUDGET_SPENT' },
        budget: { left: 0, rows: 250 },
        queue: { waiting: 50, failed: 0 },
      });
      const raised = await t.run(['budget', '70']);
      expect(raised.stdout).toContain('Budget: 70 of 70 rows left');
      expect(raised.stdout).toContain('The queue is stopped (BUDGET_SPENT)');
      expect((await t.run(['resume'])).code).toBe(0);
      expect((await t.run(WORK, env)).code).toBe(0);
      expect(summarise(t.sandbox.log())).toMatchObject({ accepted: 300, acceptedTwice: 0 });
    }),
  120_000,
);

test(
  'status, plan and doctor tell what budget and reserve leave; a budget that is no number is refused, off removes it',
  () =>
    withScene('redis', { ...QUIET, quota: 100 }, async (t) => {
      const file = await t.csv('a.csv', 40);
      const keeping = { ZIA_KEEP_ALLOWANCE: '70' };
      expect((await t.run(['budget', 'many'])).code).toBe(2);
      expect((await t.run(['budget', '10'])).code).toBe(0);
      expect(await json(t, ['plan', file])).toMatchObject({
        covered: 10,
        endsAtLine: 12,
        budget: { left: 10, rows: 10 },
      });
      const plan = await t.run(['plan', file, '--limit', '5'], keeping);
      expect(plan.stdout).toContain(
        'uses 5 enrichments of 100 left (70 kept back) and a budget of 10; 95 and 5 of the budget left after them',
      );
      expect(await json(t, ['budget', 'off'])).toEqual({ budget: null, stop: null });
      expect(await json(t, ['plan', file], keeping)).toMatchObject({ covered: 30, keep: 70, budget: null });
      await t.run(['enqueue', file]);
      const worked = await t.run(WORK, { ...keeping, ZIA_METRICS_PORT: '0' });
      expect(worked.code).toBe(4);
      expect(worked.stdout).toContain('RESERVE_REACHED');
      expect(summarise(t.sandbox.log())).toMatchObject({ accepted: 30 });
      const status = await t.run(['status'], keeping);
      expect(status.stdout).toContain('70 of the allowance are kept back; 0 rows may be sent');

      t.sandbox.configure({ allowanceKnown: false });
      const doctor = await t.run(['doctor'], keeping);
      expect(doctor.code).toBe(2);
      expect(doctor.stdout).toContain('ZIA_KEEP_ALLOWANCE=70 cannot be kept');
    }),
  120_000,
);
