import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import type { Page } from 'playwright-core';
import { DESKTOP, expectAccessible, numberAfter, PHONE, useDashboardPages } from '../support/dashboard-pages.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { openWorkScene, type WorkScene } from '../support/scene.js';
import { withScratch } from '../support/scratch.js';
import { waitFor } from '../support/wait.js';

jest.setTimeout(120_000);

/** The pictures in the documents are made anew only when somebody asks for that, so that a test run leaves the tree as it is. */
const KEEP = process.env.UPDATE_SCREENSHOTS !== undefined;

describe('the dashboard in a browser', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  test('shows numbers that move, the stop when it comes, and resumes when asked twice', async () => {
    const scene = await openWorkScene(pages.t, 'redis', { quota: 30, latencyMs: 20, completeAfterMs: 200 });
    await queueRows(scene.queue, goodRows(60));
    const { url } = await serve(scene);
    const page = await visit(url);
    expect(await numberAfter(page, 'Waiting')).toBe(60);
    await page.getByRole('heading', { name: 'No worker is running' }).waitFor();

    scene.work({ settings: { ratePerSecond: 8 } });
    await page.getByRole('heading', { name: 'Sending' }).waitFor();
    const seen = new Set<number>();
    await waitFor(async () => seen.add(await numberAfter(page, 'Waiting')).size >= 3, { what: 'moving numbers' });

    const alert = page.getByRole('alert');
    await alert.waitFor({ timeout: 30_000 });
    expect(await alert.innerText()).toMatch(/Stopped: LIMIT_EXCEEDED[\s\S]*allowance[\s\S]*line \d+[\s\S]*resume/);
    expect(await numberAfter(page, 'Failed')).toBe(0);

    await page.getByRole('button', { name: 'Resume …' }).click();
    await page.getByRole('button', { name: 'Not yet' }).click();
    expect((await scene.engine.store.control.read()).value?.mode).toBe('stopped');
    scene.sandbox.configure({ quota: null });
    await page.getByRole('button', { name: 'Resume …' }).press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).press('Enter');
    await page.getByRole('heading', { name: 'Sending' }).waitFor({ timeout: 20_000 });
    await page.getByRole('heading', { name: 'Nothing to send' }).waitFor({ timeout: 30_000 });
    expect((await scene.engine.store.counts()).scheduled).toBe(60);
  });

  test('takes a CSV with a wrong mapping, lets it be corrected, queues it and gives the export', () =>
    withScratch(async (folder) => {
      const scene = await openWorkScene(pages.t, 'redis', { completeAfterMs: 50 });
      const { url } = await serve(scene);
      const path = join(folder, 'customers.csv');
      const lines = Array.from({ length: 12 }, (_, at) => `C-${at + 100},Company Number ${at},info@c${at}.example`);
      await writeFile(path, `Customer,Firm,Email\n${lines.join('\n')}\nC-1,x,\n`);
      const page = await visit(url);
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByRole('heading', { name: 'customers.csv' }).waitFor();
      expect(await page.getByLabel('Company name').inputValue()).toBe('Firm');
      await page.getByLabel('Company name').selectOption('Customer');
      await page.getByRole('button', { name: 'Use these columns' }).click();
      await page.getByRole('columnheader', { name: 'Customer Company name' }).waitFor();
      await page.getByLabel('Company name').selectOption('Firm');
      await page.getByRole('button', { name: 'Use these columns' }).click();
      await page.getByRole('button', { name: 'Queue 12 rows …' }).click();
      await page.getByRole('button', { name: 'Queue them' }).click();
      await page.getByText('12 rows queued.').waitFor();
      scene.work({ settings: { resultPollMs: 100 } });
      await waitFor(async () => (await numberAfter(page, 'Waiting')) === 0, { timeoutMs: 30_000, what: 'the rows' });
      await waitFor(async () => (await scene.engine.store.counts()).scheduled === 12, { what: 'the last answers' });
      const [exported] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: 'Download the export' }).click(),
      ]);
      expect(exported.suggestedFilename()).toBe('customers.zia.csv');
      const records: Record<string, string>[] = parse(await readFile(await exported.path()), { columns: true });
      expect(records.map(({ Firm }) => Firm)).toHaveLength(13);
      expect(records.at(-1)?.zia_status).toBe('rejected');
      expect(
        records
          .slice(0, -1)
          .every(({ zia_status: status = '' }) => /^(submitted|enriched|not_found|failed)$/.test(status)),
      ).toBe(true);
      const [rejects] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: 'Download the rejects' }).click(),
      ]);
      expect(await readFile(await rejects.path(), 'utf8')).toContain('NO_USABLE_FIELD');
    }));

  test.each([
    ['desktop', DESKTOP, 'light'],
    ['desktop', DESKTOP, 'dark'],
    ['phone', PHONE, 'light'],
    ['phone', PHONE, 'dark'],
  ] as const)(
    'has no serious accessibility fault and no sideways scrolling: %s, %o, %s',
    (device, viewport, colorScheme) =>
      withScratch(async (folder) => {
        const scene = await openWorkScene(pages.t, 'redis', {
          quota: KEEP ? 640 : 60,
          latencyMs: [20, 220],
          completeAfterMs: 300,
        });
        await failSome(scene);
        await queueRows(scene.queue, goodRows(1_200));
        // A picture should not show where the tests keep their queue.
        const engine = { ...scene.engine, description: 'Redis at 127.0.0.1:6379, prefix zia' };
        const { url } = await serve({ ...scene, engine });
        const page = await visit(url, { viewport, colorScheme });
        const path = join(folder, 'accounts.csv');
        await writeFile(path, SAMPLE);

        scene.work({ settings: { ratePerSecond: 40, resultPollMs: 1_000 } });
        await waitFor(async () => (await numberAfter(page, 'Waiting')) < (KEEP ? 800 : 1_190), {
          timeoutMs: 60_000,
          what: 'a good picture',
        });
        await look(page, `overview-${device}-${colorScheme}`);
        await page.getByRole('alert').waitFor({ timeout: 60_000 });
        await look(page, `stopped-${device}-${colorScheme}`);
        await page.getByRole('button', { name: 'Resume …' }).click();
        await look(page, null);
        await page.getByRole('button', { name: 'Not yet' }).click();
        await page.getByText('Show as a table').click();
        await look(page, null);
        await page.getByLabel('Drop a CSV file here').setInputFiles(path);
        await page.getByRole('button', { name: /Queue .* rows …/ }).waitFor();
        await page.getByText('Not enqueued').waitFor();
        await look(page, `file-${device}-${colorScheme}`);
      }),
  );

  test('can be used with the keyboard alone', async () => {
    const scene = await openWorkScene(pages.t);
    const { url } = await serve(scene);
    const page = await visit(url);
    const focused: string[] = [];
    for (let at = 0; at < 5; at += 1) {
      await page.keyboard.press('Tab');
      focused.push(
        await page.evaluate<string>('document.activeElement.textContent.trim() || document.activeElement.id'),
      );
    }
    expect(focused).toEqual(['Skip to content', 'Overview', 'Jobs', 'Show as a table', 'upload-file']);
  });
});

const SAMPLE = `Customer,Firm,Web,Mail,City
1001,Acme Ltd,acme.example.com,info@acme.example,Berlin
1002,"Lakeside Brewing, Inc.",lakeside.example.com,,Chicago
1003,Ünal Makina,www.unal.example,office@unal.example,Izmir
1004,x,,,Oslo
1005,Harbour & Sons,harbour.example.com,post@harbour.example,Leith
1006,Acme Ltd,https://www.acme.example.com/,INFO@acme.example,Berlin
1007,Northwind Traders,northwind.example,sales@northwind.example,Seattle
`;

/** Rows that Zoho refuses for their own fault. */
async function failSome(scene: WorkScene): Promise<void> {
  const rows = ['Refused GmbH', 'Refused AG', 'Refused KG'].map((name) => ({ module: 'Accounts', name }));
  await queueRows(scene.queue, rows);
  const element = { code: 'INVALID_DATA', details: { api_name: 'name' }, message: 'invalid data', status: 'error' };
  const body = { __zia_org_enrichment: [element] };
  scene.sandbox.configure({ faults: [{ kind: 'status', on: 'post', share: 1, match: 'Refused', status: 400, body }] });
}

/** Checks a page as it is, and keeps its picture when UPDATE_SCREENSHOTS asks for that. */
async function look(page: Page, name: string | null): Promise<void> {
  await expectAccessible(page);
  if (!KEEP || name === null || !/^(overview|stopped)-|^file-desktop-light$/.test(name)) return;
  const path = new URL(`../../docs/images/${name}.png`, import.meta.url).pathname;
  await page.screenshot({ path, fullPage: true });
}
