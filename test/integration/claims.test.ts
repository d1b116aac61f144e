import { afterEach, describe, expect, test } from '@jest/globals';
import { type History, isSameLook } from '../../src/lib/core/history.js';
import { Claims } from '../../src/workers/claims.js';
import { ENGINES_IN_TURN, openTestEngine, quietLog } from '../support/engines.js';
import { setup } from '../support/setup.js';

const t = setup();
afterEach(() => t.close());

describe.each(ENGINES_IN_TURN)('on %s', (kind) => {
  test('workers that remember different births of the store agree on one look', async () => {
    const { engine } = t.closing(await openTestEngine(kind), (opened) => opened.close());
    const { store } = engine;
    const history = store.document<History>('history');
    const join = (workerId: string) => {
      const claims = new Claims({ store, workerId, zohoNowMs: () => null, log: quietLog });
      return () => claims.heartbeat([], 30_000);
    };
    const bornAgain = (ms: number) => history.change((now) => (now === null ? undefined : { ...now, bornMs: ms }));
    // The store was emptied twice, each time filled by a worker that had just begun.
    const [first, second, third] = ['first', 'second', 'third'].map(join);
    if (!first || !second || !third) throw new Error('three workers');
    await first();
    await bornAgain(2_000);
    await second();
    await bornAgain(1_000);
    await third();

    const everybody = async () => {
      for (const beat of [first, second, third]) await beat();
    };
    await everybody();
    await everybody();
    const { value: before } = await history.read();
    expect(before?.look?.back.toSorted()).toEqual(['first', 'second', 'third']);
    await history.change((now) => (now?.look ? { ...now, look: { ...now.look, round: 2 } } : undefined));
    const { value: inSecondRound } = await history.read();
    if (!inSecondRound?.look) throw new Error('no look');
    await everybody();
    await everybody();
    expect(isSameLook((await history.read()).value, inSecondRound.look)).toBe(true);
  });
});
