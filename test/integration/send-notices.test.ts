import { expect, test } from '@jest/globals';
import { INITIAL_CONTROL, stopped } from '../../src/lib/core/control.js';
import type { Notice } from '../../src/lib/notify.js';
import { sendNotices } from '../../src/workers/send-notices.js';
import { ENGINE_KINDS, openTestEngine, quietLog } from '../support/engines.js';
import { setup } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

test.each(ENGINE_KINDS)(
  '%s: a message whose sender dies over it is sent by another one, and then by nobody',
  async (kind) => {
    await using t = setup();
    const { engine } = t.closing(await openTestEngine(kind), (opened) => opened.close());
    const end = new AbortController();
    t.closing(end, () => end.abort());
    const sent: string[] = [];
    const deaf = { deliver: () => new Promise<never>(() => undefined) };
    const hearing = {
      deliver: async ({ event, code }: Notice) => {
        sent.push(`${event} ${code}`);
        return { kind: 'delivered' as const };
      },
    };
    const base = {
      engine,
      events: ['stopped' as const],
      profile: null,
      everyMs: 50,
      log: quietLog,
      senderLostAfterMs: 1_000,
    };
    await engine.store.control.change(() =>
      stopped(INITIAL_CONTROL, { code: 'LIMIT_EXCEEDED', message: 'Used up.', sinceMs: 1, key: null, line: null }),
    );
    void sendNotices({ ...base, workerId: 'dead', notifier: deaf }, end.signal);
    const claimed = async () =>
      (await engine.store.document<{ sending: unknown }>('notices').read()).value?.sending !== null;
    await waitFor(async () => (await engine.store.document('notices').read()).value !== null && claimed());
    for (const workerId of ['one', 'two']) void sendNotices({ ...base, workerId, notifier: hearing }, end.signal);
    await waitFor(() => sent.length > 0);
    await waitFor(async () => !(await claimed()));
    expect(sent).toEqual(['stopped LIMIT_EXCEEDED']);
  },
);
