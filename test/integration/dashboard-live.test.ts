import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { PageUpdate } from '../../src/dashboard/live-parts.js';
import { Monitor } from '../../src/dashboard/monitor.js';
import { startDashboard } from '../../src/dashboard/server.js';
import { openTestEngine, quietLog } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

let t: TestScope;
beforeEach(() => {
  t = setup();
});
afterEach(() => t.close());

test('open pages get what changed, and the points of the chart that they do not have yet', async () => {
  const { engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
  const { url } = t.closing(await startDashboard({ host: '127.0.0.1', port: 0, engine, log: quietLog }), (opened) =>
    opened.close(),
  );
  const update = async (after: number) => (await (await fetch(`${url}/parts?after=${after}`)).json()) as PageUpdate;
  const all = await waitFor(async () => {
    const { points = [] } = await update(0);
    return points.length >= 3 && points;
  });
  const [, second] = all;
  const later = await update(second?.[0] ?? 0);
  expect(later.points?.slice(0, 1)).toEqual(all.slice(2, 3));
  expect(Object.keys(later.parts)).toContain('outcomes');
});

test('the pace is measured on a clock that nobody sets', async () => {
  const { engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const nowMs = Date.now();
  const clock = jest.spyOn(Date, 'now').mockReturnValue(nowMs);
  t.closing(clock, (mocked) => mocked.mockRestore());
  const monitor = t.closing(new Monitor({ engine, queue, log: quietLog }), (opened) => opened.close());
  const { history } = await waitFor(async () => {
    const overview = await monitor.latest();
    return overview.history.length > 0 && overview;
  });
  expect(history[0]?.perSecond).toBe(0);
});
