import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, jest } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import type { Page } from 'playwright-core';
import { INITIAL_CONTROL, stopped } from '../../src/lib/core/control.js';
import { JOB_NAME } from '../../src/lib/queues.js';
import { DESKTOP, expectAccessible, numberAfter, PHONE, useDashboardPages } from '../support/dashboard-pages.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { openWorkScene, type WorkScene } from '../support/scene.js';
import { withScratch } from '../support/scratch.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

jest.setTimeout(120_000);

/** The pictures in the documents are made anew only when somebody asks for that, so that a test run leaves the tree as it is. */
const KEEP = process.env.UPDATE_SCREENSHOTS !== undefined;

describe('the dashboard in a browser', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  testIn.short('shows numbers that move, the stop when it comes, and resumes when asked twice', async () => {
    const scene = await openWorkScene(pages.t, 'redis', { quota: 30, latencyMs: 400, completeAfterMs: 200 });
    await queueRows(scene.queue, goodRows(60));
    const { url } = await serve(scene);
    const page = await visit(url);
    expect(await numberAfter(page, 'Waiting')).toBe(60);
    await page.getByRole('heading', { name: 'No worker is running' }).waitFor();

    scene.work({ settings: { ratePerSecond: 8 } });
    await page.getByRole('heading', { name: 'Sending' }).waitFor();
    await expectMoving(page, ['Waiting', 'Enrichments left', 'Time left', 'Rows sent per second']);
    await waitFor(async () => (await numberAfter(page, 'Open requests')) > 0, { what: 'an open request' });
    await waitFor(async () => (await numberAfter(page, 'Workers running')) === 1, { what: 'the worker' });

    const alert = page.getByRole('alert');
    await alert.getByRole('heading').waitFor();
    expect(await numberAfter(page, 'Enrichments left')).toBe(0);
    expect(await page.locator('dt:has-text("Time left") + dd').innerText()).toBe('–');
    expect(await page.evaluate('chart.data[0].length')).toBeGreaterThanOrEqual(3);
    expect(await page.evaluate('Math.max(...chart.data[1])')).toBeGreaterThan(1);
    expect(await page.evaluate('Math.max(...chart.data[2])')).toBeGreaterThan(0);
    expect(await inkOf(page, 'rgb(52, 87, 213)')).toBeGreaterThan(50);
    expect(await alert.innerText()).toMatch(/Stopped: LIMIT_EXCEEDED[\s\S]*allowance[\s\S]*line \d+[\s\S]*Resume/);
    expect(await numberAfter(page, 'Failed')).toBe(0);

    await page.getByRole('button', { name: 'Resume …' }).click();
    await page.getByRole('button', { name: 'Not yet' }).click();
    expect((await scene.engine.store.control.read()).value?.mode).toBe('stopped');
    scene.sandbox.configure({ quota: null });
    await page.getByRole('button', { name: 'Resume …' }).press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).press('Enter');
    await page.getByRole('heading', { name: 'Sending' }).waitFor();
    await page.getByRole('heading', { name: /^(Waiting for \d+ results?|All done)/ }).waitFor();
    expect((await scene.engine.store.counts()).scheduled).toBe(60);
  });

  testIn.long('counts rows that are to be tried again, that are uncertain, and that are held', async () => {
    const { engine, queue, ...scene } = await openWorkScene(pages.t);
    await queue.add(JOB_NAME, { v: 1, module: 'Accounts', name: 'First Ltd' });
    const { url } = await serve({ engine, ...scene });
    const page = await visit(url);
    const figures = async () => {
      const labels = ['Will retry', 'Checking with Zoho', 'Needs your decision', 'Sending now'];
      return Promise.all(labels.map((label) => numberAfter(page, label)));
    };
    const expectFigures = (...expected: readonly number[]) =>
      waitFor(async () => `${await figures()}` === `${expected}`, { what: `the figures ${expected}` });
    await expectFigures(0, 0, 0, 0);
    const [key, otherKey] = await queueRows(queue, goodRows(2));
    if (key === undefined || otherKey === undefined) throw new Error('Two rows have two keys.');
    const limits = { callsPerSecond: 0, maxInFlight: 9, permitTtlMs: 60_000 };
    const sent = { module: 'Accounts' };
    await engine.store.admit({ key, callId: 'c1', sent, limits, claimLostAfterMs: 60_000 });
    await expectFigures(0, 0, 0, 1);
    await engine.store.markUncertain(key, 'c1', 'ECONNRESET');
    await expectFigures(0, 1, 0, 0);
    await engine.store.hold(key, 'c1', 'NOT_FOUND');
    await expectFigures(0, 0, 1, 0);
    await queue.add(JOB_NAME, { v: 1, module: 'Accounts', name: 'Later Ltd' }, { delay: 60_000 });
    await expectFigures(1, 0, 1, 0);
  });

  testIn.short('takes a CSV with a wrong mapping, lets it be corrected, queues it and gives the export', () =>
    withScratch(async (folder) => {
      const scene = await openWorkScene(pages.t, 'redis', { completeAfterMs: 50 });
      const { url } = await serve(scene);
      const path = join(folder, 'customers.csv');
      const lines = Array.from({ length: 12 }, (_, at) => `C-${at + 100},Company Number ${at},c${at}.example`);
      await writeFile(path, `Code,Website,Domain\n${lines.join('\n')}\nC-1,x,\n`);
      const page = await visit(url);
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByRole('heading', { name: 'customers.csv' }).waitFor();
      expect(await page.getByLabel('Website').inputValue()).toBe('Website');
      await page.getByText('No new rows: nothing would be queued.').waitFor();
      expect(await page.getByRole('button', { name: /^Send/ }).count()).toBe(0);
      await page.getByLabel('Company name').selectOption('Website');
      await page.getByLabel('Website').selectOption('Domain');
      await page.getByRole('button', { name: 'Use these columns' }).click();
      await page.getByRole('columnheader', { name: 'Website Company name' }).waitFor();
      await page.getByRole('radio', { name: /^all/ }).check();
      await page.getByRole('button', { name: 'Send to Zia …' }).click();
      await page.getByRole('button', { name: /^Send \d+ rows$/ }).click();
      await page.getByText('12 rows queued.').waitFor();
      scene.work({ settings: { resultPollMs: 100 } });
      await waitFor(async () => (await numberAfter(page, 'Waiting')) === 0, { what: 'the rows' });
      await waitFor(async () => (await scene.engine.store.counts()).scheduled === 12, { what: 'the last answers' });
      const [exported] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: /^Download everything/ }).click(),
      ]);
      expect(exported.suggestedFilename()).toBe('customers.zia.csv');
      const records: Record<string, string>[] = parse(await readFile(await exported.path()), { columns: true });
      expect(records.map(({ Code, Website, Domain }) => `${Code},${Website},${Domain}`)).toEqual([...lines, 'C-1,x,']);
      const statuses = records.map(({ zia_status: status = '' }) => status);
      expect(statuses.pop()).toBe('rejected');
      expect(statuses.filter((status) => !/^(submitted|enriched|not_found|failed)$/.test(status))).toEqual([]);
      const ids = records.map(({ zia_enrichment_id: id = '' }) => id);
      expect(ids.pop()).toBe('');
      expect(new Set(ids).size).toBe(12);
      const [rejects] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: /^Download the rejects/ }).click(),
      ]);
      expect(await readFile(await rejects.path(), 'utf8')).toContain('NO_USABLE_FIELD');
    }),
  );

  testIn.long.each<[string, typeof DESKTOP, 'light' | 'dark']>([
    ['desktop', DESKTOP, 'light'],
    ['desktop', DESKTOP, 'dark'],
    ['phone', PHONE, 'light'],
    ['phone', PHONE, 'dark'],
  ])('has no serious accessibility fault and no sideways scrolling: %s, %o, %s', (device, viewport, colorScheme) =>
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
        what: 'a good picture',
      });
      await look(page, `overview-${device}-${colorScheme}`);
      await page.getByRole('alert').getByRole('heading').waitFor();
      await look(page, `stopped-${device}-${colorScheme}`);
      await page.getByRole('button', { name: 'Resume …' }).click();
      await look(page, null);
      await page.getByRole('button', { name: 'Not yet' }).click();
      await page.getByText('Show as a table').click();
      await look(page, null);
      // Zoho grants more, and the answer from before that is forgotten.
      scene.sandbox.configure({ quota: 2_000 });
      await engine.store.document('allowance').change(() => ({ atMs: 0, allowance: null }));
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByRole('button', { name: 'Send to Zia …' }).waitFor();
      await page.getByText('Not queued').waitFor();
      await look(page, `file-${device}-${colorScheme}`);
      await page.getByRole('button', { name: 'Send to Zia …' }).click();
      await page.getByRole('button', { name: /^Send \d+ rows$/ }).click();
      await page.getByText('rows queued.').waitFor();
      await page.getByRole('link', { name: /^Download the rejects/ }).waitFor();
      await look(page, null);
      await page.locator('summary').filter({ hasText: 'Company name from' }).click();
      for (const field of ['Company name', 'Email', 'Website']) await page.getByLabel(field).selectOption('');
      await page.getByLabel('CRM record id').selectOption('Customer');
      await page.getByRole('button', { name: 'Use these columns' }).click();
      await page.getByText('No column for name, email or website was found').waitFor();
      expect(await page.getByLabel('CRM record id').inputValue()).toBe('Customer');
      await look(page, null);
    }),
  );

  testIn.long('lifts a stop with the keyboard alone', async () => {
    const scene = await openWorkScene(pages.t);
    await scene.engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
    const { url } = await serve(scene);
    const page = await visit(url);
    expect(await tabTo(page, 'Resume …')).toEqual(['Skip to content', 'Overview', 'Files', 'All rows', 'Resume …']);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Resume sending?' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(await focused(page)).toBe('Resume …');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Resume');
    await page.keyboard.press('Enter');
    await page.getByText('The stop with LIMIT_EXCEEDED is lifted').waitFor();
    expect((await scene.engine.store.control.read()).value?.mode).toBe('canary');
  });

  testIn.long('uploads a file, corrects its columns and queues its rows with the keyboard alone', () =>
    withScratch(async (folder) => {
      const scene = await openWorkScene(pages.t);
      const { url } = await serve(scene);
      const page = await visit(url);
      const path = join(folder, 'customers.csv');
      await writeFile(path, 'Code,Title\nC-100,Acme Ltd\nC-101,Northwind\n');
      // Asked for before the key is pressed, or a slow browser opens a dialog of its own.
      const choosing = page.waitForEvent('filechooser');
      await tabTo(page, 'upload-file');
      await page.keyboard.press('Enter');
      await (await choosing).setFiles(path);
      await page.getByRole('heading', { name: 'customers.csv' }).waitFor();
      await tabTo(page, 'column-name');
      await page.keyboard.type('Title');
      await tabTo(page, 'Use these columns');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Send to Zia …' }).waitFor();
      await tabTo(page, 'Send to Zia …');
      await page.keyboard.press('Enter');
      // The dialog comes with a page of its own.
      await page.getByRole('dialog', { name: 'Send 2 rows to Zia?' }).waitFor();
      await tabTo(page, 'Send 2 rows');
      await page.keyboard.press('Enter');
      await page.getByText('2 rows queued.').waitFor();
      expect((await scene.engine.counts()).waiting).toBe(2);
    }),
  );
});

const STOP = { code: 'LIMIT_EXCEEDED', message: 'The allowance is used up.', sinceMs: 1, key: null, line: null };

/** What has the focus: a field by its id, anything else by its text. */
function focused(page: Page): Promise<string> {
  return page.evaluate<string>(`(() => {
    const { id, textContent, labels } = document.activeElement;
    return labels?.length > 0 ? id : textContent.trim();
  })()`);
}

/** Presses Tab until something has the focus; returns all that had it on the way. */
async function tabTo(page: Page, wanted: string): Promise<readonly string[]> {
  const way: string[] = [];
  while (way.at(-1) !== wanted) {
    if (way.length > 30) throw new Error(`Tab does not lead to ${wanted}, but to ${way.join(', ')}.`);
    await page.keyboard.press('Tab');
    way.push(await focused(page));
  }
  return way;
}

/** Waits until each of the numbers has shown three values. */
async function expectMoving(page: Page, labels: readonly string[]): Promise<void> {
  const seen = new Map(labels.map((label) => [label, new Set<number>()]));
  await waitFor(
    async () => {
      for (const [label, values] of seen) values.add(await numberAfter(page, label));
      return [...seen.values()].every(({ size }) => size >= 3);
    },
    { what: 'moving numbers' },
  );
}

/** How many pixels of the chart have this very color. */
function inkOf(page: Page, color: string): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector('#chart canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const [red, green, blue] = '${color}'.match(/\\d+/g).map(Number);
    let found = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) found += 1;
    }
    return found;
  })()`);
}

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
  if (!KEEP || name === null) return;
  const path = new URL(`../../docs/images/${name}.png`, import.meta.url).pathname;
  await page.screenshot({ path, fullPage: true });
}
