import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import type { IdentityKey } from '../../src/lib/core/ids.js';
import { withInput } from '../../src/lib/csv/with-input.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import type { EnrichQueue } from '../../src/lib/queues.js';
import { type CancelOptions, type CancelReport, cancelRows } from '../../src/producers/cancel-rows.js';
import { enqueueFile } from '../../src/producers/enqueue-file.js';
import { enginesIn, openTestEngine, testOn } from '../support/engines.js';
import { setup } from '../support/setup.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

const LIMITS = { callsPerSecond: 0, maxInFlight: 10, permitTtlMs: 60_000 };

describe.each(enginesIn({ long: ['embedded'] }))('cancelRows on the %s engine', (kind) => {
  const all = setup();
  const t = setup();
  let folder = '';
  let engine: Engine;
  let queue: EnrichQueue;

  beforeAll(async () => {
    folder = all.closing(await mkdtemp(join(tmpdir(), 'zia-cancel-')), (path) => rm(path, { recursive: true }));
    ({ engine } = all.closing(await openTestEngine(kind), (opened) => opened.close()));
    queue = all.closing(engine.openQueue(), (opened) => opened.close());
  }, 60_000);
  afterAll(() => all.close());
  afterEach(async () => {
    await t.close();
    await queue.drain(true);
  });

  async function file(name: string, count: number): Promise<string> {
    const path = join(folder, `${name}.csv`);
    const lines = Array.from({ length: count }, (_, at) => `${name} ${at},info@${name}${at}.example`);
    await writeFile(path, `Company,Email\n${lines.join('\n')}\n`);
    return path;
  }

  const enqueue = (path: string, mapFlags: readonly string[] = []) =>
    enqueueFile({ path, mapFlags, module: 'Accounts', maxAttempts: 5, engine, queue });

  const cancel = (path: string, options: Partial<CancelOptions> = {}): Promise<CancelReport> =>
    withInput({ path, mapFlags: [], module: 'Accounts', engine }, (input) => cancelRows({ ...input, ...options }));

  testIn.short(
    'takes out the rows of this file only, those queued under other columns, too; they are new again',
    async () => {
      const path = await file('mine', 30);
      await enqueue(path, ['email=']);
      await enqueue(await file('other', 10));
      const report = await withInput({ path, mapFlags: ['email=Email'], module: 'Accounts', engine }, cancelRows);
      expect(report).toEqual({ file: path, rows: 30, cancelled: 30, left: 0 });
      expect((await queue.getWaiting(0, -1)).map(({ data }) => data.name)).toEqual(
        Array.from({ length: 10 }, (_, at) => `other ${at}`),
      );
      expect(await cancel(path)).toMatchObject({ cancelled: 0, left: 0 });
      expect(await enqueue(path)).toMatchObject({ enqueued: 30, known: 0 });
    },
  );

  testIn.short('leaves rows that were sent and wait for a look-up', async () => {
    const path = await file('sent', 2);
    await enqueue(path);
    const [job] = await queue.getWaiting(0, 0);
    const { v: _version, line: _line, ...sent } = job?.data ?? { v: 1, module: '' };
    const key = job?.id as IdentityKey;
    await engine.store.admit({ key, callId: 'c', sent, limits: LIMITS, claimLostAfterMs: 60_000 });
    await engine.store.markUncertain(key, 'c', 'LOST');
    expect(await cancel(path)).toMatchObject({ cancelled: 1, left: 1 });
    expect((await queue.getWaiting(0, -1)).map(({ id }) => id)).toEqual([key]);
  });

  testOn(kind)('with workers at work each row is either worked on or taken out, never both', async () => {
    const path = await file('busy', 1_200);
    await enqueue(path);
    const worked: string[] = [];
    const worker = t.closing(
      engine.openWorker(
        async (job) => {
          worked.push(job.id ?? '');
          return { id: '1' };
        },
        { concurrency: 4, removeOnComplete: { count: 0 } },
      ),
      (opened) => opened.close(),
    );
    await waitFor(() => worked.length > 20, { what: 'the worker to begin' });
    const { cancelled } = await cancel(path);
    expect(cancelled).toBeGreaterThan(0);
    await waitFor(
      async () => {
        const { waiting, active, delayed } = await engine.counts();
        return waiting + active + delayed === 0;
      },
      { what: 'the queue to be empty' },
    );
    await worker.close();
    expect(new Set(worked).size).toBe(worked.length);
    expect(worked.length + cancelled).toBe(1_200);
  });

  testOn(kind)('ended half-way it goes on when it is called again', async () => {
    const path = await file('half', 1_200);
    await enqueue(path);
    const stop = new AbortController();
    const onProgress = () => stop.abort(new Error('Interrupted.'));
    await expect(cancel(path, { signal: stop.signal, onProgress })).rejects.toThrow('Interrupted.');
    const { waiting } = await engine.counts();
    expect(waiting).toBe(700);
    expect(await cancel(path)).toMatchObject({ cancelled: 700, left: 0 });
  });
});
