import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect } from '@jest/globals';
import { withInput } from '../../src/lib/csv/with-input.js';
import { cancelRows } from '../../src/producers/cancel-rows.js';
import { type EnqueueFileOptions, enqueueFile } from '../../src/producers/enqueue-file.js';
import { fileStatus } from '../../src/reports/file-status.js';
import { summarise } from '../../src/sandbox/effects.js';
import { type EngineKind, enginesIn, testOn } from '../support/engines.js';
import { openWorkScene } from '../support/scene.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

const QUICK = { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 };
const RESULTS = { waitForResults: true, settings: { resultPollMs: 100 } };

async function open(kind: EngineKind) {
  const scene = await openWorkScene(t, kind, QUICK);
  const { engine, queue, sandbox } = scene;
  const folder = t.closing(await mkdtemp(join(tmpdir(), 'zia-refresh-')), (path) => rm(path, { recursive: true }));
  const path = join(folder, 'a.csv');
  await writeFile(
    path,
    'Company,Email\nOld Firm,info@old.example\nNext Firm,info@next.example\nThird Firm,info@third.example\n',
  );
  const input = { path, mapFlags: [], module: 'Accounts', engine };
  return {
    ...scene,
    enqueue: (options: Partial<EnqueueFileOptions> = {}) =>
      enqueueFile({ ...input, maxAttempts: 5, queue, ...options }),
    cancel: () => withInput(input, cancelRows),
    status: () => withInput(input, fileStatus),
    accepted: () => summarise(sandbox.log()).accepted,
    /** The store's clock has gone on since the last row finished. */
    later: async () => {
      const { nowMs } = await engine.store.control.read();
      await waitFor(async () => (await engine.store.control.read()).nowMs > nowMs + 2);
    },
  };
}

describe.each(enginesIn({ long: ['embedded'] }))('--refresh-after on the %s engine', (kind) => {
  testIn.short(
    'sends rows with an older result once more under the same key, and keeps the result until then',
    async () => {
      const { enqueue, cancel, workOff, later, status, accepted, engine } = await open(kind);
      await enqueue({ limit: 2 });
      await workOff(RESULTS);
      await later();
      expect(await enqueue({ refreshAfterMs: 3_600_000 })).toMatchObject({ enqueued: 1, known: 2 });
      await cancel();
      expect(await enqueue({ refreshAfterMs: 0 })).toMatchObject({ enqueued: 3, known: 0 });
      expect(await status()).toMatchObject({ enriched: 2, waiting: 1 });
      expect(await enqueue({ refreshAfterMs: 0 })).toMatchObject({ enqueued: 0, known: 3 });
      // Taken out again, nothing has happened to them.
      await cancel();
      expect(await status()).toMatchObject({ enriched: 2, notEnqueued: 1 });
      expect(await enqueue()).toMatchObject({ enqueued: 1, known: 2 });

      expect(await enqueue({ refreshAfterMs: 0 })).toMatchObject({ enqueued: 2, known: 1 });
      const before = await engine.store.counts();
      await workOff(RESULTS);
      expect(accepted()).toBe(5);
      expect(await status()).toMatchObject({ enriched: 3 });
      expect(await engine.store.counts()).toMatchObject({ scheduled: before.scheduled + 3, orphans: 0, pending: 0 });
      expect(await enqueue()).toMatchObject({ enqueued: 0, known: 3 });
      await workOff(RESULTS);
      expect(accepted()).toBe(5);
    },
    60_000,
  );

  testOn(kind)(
    'a lost answer is looked up, and the enrichment of before is not taken for it',
    async () => {
      const { enqueue, workOff, later, status, accepted, engine, sandbox } = await open(kind);
      await enqueue({ limit: 2 });
      await workOff(RESULTS);
      await later();
      const ids = async () =>
        [...(await engine.store.scanLedger(null, 10)).entries.values()].flatMap(
          ({ enrichmentId }) => enrichmentId ?? [],
        );
      const before = await ids();
      sandbox.configure({ faults: [{ kind: 'http-500', on: 'post', share: 1, times: 1 }] });
      expect(await enqueue({ limit: 1, refreshAfterMs: 0 })).toMatchObject({ enqueued: 1 });
      await workOff(RESULTS);
      expect(accepted()).toBe(3);
      expect(await status()).toMatchObject({ enriched: 2, uncertain: 0 });
      const all = new Set([...before, ...(await ids())]);
      expect(all.size).toBe(3);
      expect((await engine.store.owners([...all])).size).toBe(3);
    },
    60_000,
  );
});
