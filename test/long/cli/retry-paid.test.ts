import { expect, test } from '@jest/globals';
import { withScene } from '../../support/cli-scene.js';

test(
  'retry --paid says the price and asks before it spends; a signal ends the question with its own code',
  () =>
    withScene('redis', { failedShare: 1, notFoundShare: 0, quota: 10 }, async (t) => {
      await t.csv('a.csv', 3);
      expect((await t.run(['run', 'a.csv'])).code).toBe(3);
      const question = 'Pay again for 3 rows? It uses 3 enrichments of 7 left.';

      const refused = await t.onTerminal(['retry', '--paid']);
      await refused.shows(question);
      refused.type('n\r');
      expect((await refused.ended).code).toBe(1);
      expect((await refused.screen()).join('\n')).toContain('Nothing was put back.');

      const ended = await t.onTerminal(['retry', '--paid', '--file', 'a.csv']);
      await ended.shows(question);
      ended.kill('SIGTERM');
      expect((await ended.ended).code).toBe(143);
      expect((await ended.screen()).join('\n')).toContain('Nothing was put back.');
      expect(JSON.parse((await t.run(['status', '--json'])).stdout).queue).toMatchObject({ waiting: 0 });

      const yes = await t.onTerminal(['retry', '--paid', '--yes']);
      expect((await yes.ended).code).toBe(0);
      expect((await yes.screen()).join('\n')).toContain('3 rows put back into the queue');
    }),
  90_000,
);
