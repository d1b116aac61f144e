import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { html } from 'hono/html';
import { createLiveOverview } from '../../src/dashboard/events.js';
import { createMonitor, type Monitor, type Picture } from '../../src/dashboard/monitor.js';
import { startDashboard } from '../../src/dashboard/server.js';
import { openTestEngine, quietLog } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

let t: TestScope;
beforeEach(() => {
  t = setup();
});
afterEach(() => t.close());

describe('the live overview', () => {
  const PICTURE = { history: [] } as unknown as Picture; // the parts below look at nothing of it

  function live(parts = () => ({ banner: html`Sending` })) {
    const tellers = new Set<(picture: Picture) => void>();
    const logged: string[] = [];
    const monitor: Monitor = {
      look: async () => PICTURE,
      watch: (tell) => {
        tellers.add(tell);
        return () => tellers.delete(tell);
      },
      close: async () => undefined,
    };
    const log = { ...quietLog, error: (event: string) => void logged.push(event) };
    return { overview: createLiveOverview({ monitor, parts, log }), tellers, logged };
  }

  test('looks for as long as somebody watches', async () => {
    const { overview, tellers } = live();
    expect(tellers.size).toBe(0);
    const [first, second] = [overview.open(), overview.open()];
    expect(tellers.size).toBe(1);
    await first?.cancel();
    expect(tellers.size).toBe(1);
    await second?.cancel();
    expect(tellers.size).toBe(0);
  });

  test('has room for a hundred viewers, and for another when one leaves', async () => {
    const { overview } = live();
    const streams = Array.from({ length: 100 }, () => overview.open());
    expect(streams).not.toContain(null);
    expect(overview.open()).toBeNull();
    await streams[7]?.cancel();
    expect(overview.open()).not.toBeNull();
    expect(overview.open()).toBeNull();
  });

  test('goes on after a picture that cannot be shown', async () => {
    let broken = true;
    const { overview, tellers, logged } = live(() => {
      if (broken) throw new Error('There is no such part.');
      return { banner: html`Sending` };
    });
    const reader = overview.open()?.getReader();
    await reader?.read();
    for (const tell of tellers) tell(PICTURE);
    await waitFor(() => logged.length > 0);
    expect(logged).toEqual(['dashboard.cannot-tell']);
    broken = false;
    for (const tell of tellers) tell(PICTURE);
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('Sending');
  });
});

test('viewers that leave make room for others', async () => {
  const { engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
  const { url } = t.closing(await startDashboard({ host: '127.0.0.1', port: 0, engine, log: quietLog }), (opened) =>
    opened.close(),
  );
  const leaving = new AbortController();
  const visit = () => fetch(`${url}/events`, { signal: leaving.signal });
  const visits = await Promise.all(Array.from({ length: 100 }, visit));
  expect(visits.every(({ status }) => status === 200)).toBe(true);
  expect((await fetch(`${url}/events`)).status).toBe(503);
  leaving.abort();
  await waitFor(async () => {
    const answer = await fetch(`${url}/events`);
    await answer.body?.cancel();
    return answer.status === 200;
  });
});

test('the pace is measured on a clock that nobody sets', async () => {
  const { engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const nowMs = Date.now();
  const clock = jest.spyOn(Date, 'now').mockReturnValue(nowMs);
  t.closing(clock, (mocked) => mocked.mockRestore());
  const monitor = t.closing(createMonitor({ engine, queue, log: quietLog }), (opened) => opened.close());
  const watched = new Promise<Picture>((resolve) => {
    monitor.watch((picture) => {
      if (picture.history.length > 0) resolve(picture);
    });
  });
  expect((await watched).history.map(({ perSecond }) => perSecond)).toEqual([0]);
});
