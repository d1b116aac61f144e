import { expect, test } from '@jest/globals';
import { historyBegun, isSameLook, lookBegun } from '../../src/lib/core/history.js';

const backTo = { storeMs: 1_000, zohoMs: null };
const due = { server: 'b', backTo, bornMs: 500 };

test('a look whose sign becomes stronger stays the same look: what was read of the list is not read again', () => {
  const begun = lookBegun(historyBegun('a', 500), { ...due, sign: 'server' }, 2_000);
  const stronger = lookBegun(begun, { ...due, sign: 'lost' }, 3_000);
  if (begun.look === null) throw new Error('no look');
  expect(stronger.look).toMatchObject({ sign: 'lost', round: 1, sinceMs: 2_000 });
  expect(isSameLook(stronger, begun.look)).toBe(true);
});

test('a loss on yet another server, or during the second round, is another look', () => {
  const begun = lookBegun(historyBegun('a', 500), { ...due, sign: 'lost' }, 2_000);
  if (begun.look === null) throw new Error('no look');
  const onAnother = lookBegun(begun, { ...due, server: 'c', sign: 'server' }, 3_000);
  expect(isSameLook(onAnother, begun.look)).toBe(false);
  const second = { ...begun, look: { ...begun.look, round: 2 as const } };
  const again = lookBegun(second, { ...due, sign: 'lost' }, 3_000);
  expect(isSameLook(again, second.look)).toBe(false);
  expect(again.look).toMatchObject({ round: 1, sinceMs: 3_000 });
});

test('the earliest birth that anybody remembers is the one that is kept', () => {
  const begun = historyBegun('a', 500);
  const remembered = lookBegun(begun, { ...due, bornMs: 400, sign: 'lost' }, 2_000);
  expect(remembered.bornMs).toBe(400);
  const bySomebodyLater = lookBegun(
    remembered,
    { ...due, bornMs: 600, backTo: { storeMs: 300, zohoMs: null }, sign: 'lost' },
    3_000,
  );
  expect(bySomebodyLater).toMatchObject({ bornMs: 400, look: { sinceMs: 3_000, backTo: { storeMs: 300 } } });
});
