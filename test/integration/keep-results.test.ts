import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { withInput } from '../../src/lib/csv/with-input.js';
import { enqueueFile } from '../../src/producers/enqueue-file.js';
import { forgetRows } from '../../src/producers/forget-rows.js';
import { exportFile } from '../../src/reports/export-file.js';
import { fileStatus } from '../../src/reports/file-status.js';
import { summarise } from '../../src/sandbox/effects.js';
import { ENGINE_KINDS, openTestEngine } from '../support/engines.js';
import { startWorker } from '../support/fleet.js';
import { openSandbox } from '../support/sandbox.js';
import { setup } from '../support/setup.js';
import { storedText } from '../support/stored-text.js';
import { waitFor } from '../support/wait.js';

const t = setup();
afterEach(() => t.close());

test.each(ENGINE_KINDS)(
  'ZIA_KEEP_RESULTS_DAYS removes values in time on the %s engine, and nothing is paid for twice, under other columns too',
  async (kind) => {
    const { engine, settings } = t.closing(await openTestEngine(kind), (opened) => opened.close());
    const queue = t.closing(engine.openQueue(), (opened) => opened.close());
    const sandbox = await openSandbox(t, { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 });
    const folder = t.closing(await mkdtemp(join(tmpdir(), 'zia-keep-')), (path) => rm(path, { recursive: true }));
    const path = join(folder, 'a.csv');
    const names = Array.from({ length: 5 }, (_, at) => `Transient Firm ${at}`);
    await writeFile(
      path,
      `Company,Website\n${names.map((name, at) => `${name},www.transient${at}.example`).join('\n')}\n`,
    );
    const input = (mapFlags: readonly string[] = []) => ({ path, mapFlags, module: 'Accounts', engine });
    const enqueue = (mapFlags?: readonly string[]) => enqueueFile({ ...input(mapFlags), maxAttempts: 5, queue });
    const left = async () => {
      const text = await storedText(settings);
      return [...names, 'www.transient'].filter((value) => text.includes(value));
    };
    await enqueue();
    await startWorker({ engine, sandbox, waitForResults: true, settings: { resultPollMs: 100 } }).ended;
    expect(await left()).toHaveLength(6);
    const keeping = startWorker({ engine, sandbox, untilIdle: false, settings: { keepResultsMs: 1 } });
    t.closing(keeping, async ({ end, ended }) => {
      end();
      await ended;
    });
    await waitFor(async () => (await left()).length === 0, { what: 'the values to be removed' });
    expect(await enqueue()).toMatchObject({ enqueued: 0, known: 5 });
    expect(await enqueue(['website='])).toMatchObject({ enqueued: 0, knownUnderOtherColumns: 5 });
    expect(await withInput(input(), fileStatus)).toMatchObject({ rows: 5, enriched: 5 });
    const out = join(folder, 'out.csv');
    await withInput(input(), (opened) => exportFile({ ...opened, out }));
    expect((await readFile(out, 'utf8')).split('result removed')).toHaveLength(6);
    expect(summarise(sandbox.log()).accepted).toBe(5);
    const report = await withInput(input(), (opened) => forgetRows({ ...opened, dryRun: false }));
    expect(report).toMatchObject({ forgotten: 5, left: 0 });
    expect(await enqueue()).toMatchObject({ enqueued: 5 });
  },
  60_000,
);
