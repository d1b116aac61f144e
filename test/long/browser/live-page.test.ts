import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { UnrecoverableError } from 'bullmq';
import type { Page } from 'playwright-core';
import { INITIAL_CONTROL, stopped } from '../../../src/lib/core/control.js';
import { numberAfter, useDashboardPages } from '../../support/dashboard-pages.js';
import { goodRows, queueRows } from '../../support/fleet.js';
import { openWorkScene, type WorkScene } from '../../support/scene.js';
import { withScratch } from '../../support/scratch.js';
import { waitFor } from '../../support/wait.js';

jest.setTimeout(60_000);

const STOP = { code: 'LIMIT_EXCEEDED', message: 'The allowance is used up.', sinceMs: 1, key: null, line: null };

describe('a page that is kept up to date', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  const focused = (page: Page) => page.evaluate<string>('document.activeElement.textContent.trim()');
  const waiting = (page: Page, rows: number) =>
    waitFor(async () => (await numberAfter(page, 'Waiting')) === rows, { what: `${rows} rows` });

  async function fail(scene: WorkScene): Promise<void> {
    const { failed } = await scene.engine.counts();
    const worker = scene.engine.openWorker(
      () => {
        throw new UnrecoverableError('INVALID_DATA: Zoho does not accept this name.');
      },
      { autorun: true },
    );
    await waitFor(async () => (await scene.engine.counts()).failed > failed);
    await worker.close();
  }

  test('leaves the focus on the Resume button, and the alert in its place, while the figures change', async () => {
    const scene = await openWorkScene(pages.t);
    await scene.engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
    const { url } = await serve(scene);
    const page = await visit(url);
    await page.evaluate('document.querySelector(".banner.stopped").wasPainted = true');
    await page.getByRole('button', { name: 'Resume …' }).focus();
    for (let rows = 1; rows <= 3; rows += 1) {
      await queueRows(scene.queue, goodRows(rows));
      await waiting(page, rows);
      expect(await focused(page)).toBe('Resume …');
    }
    expect(await page.evaluate('document.querySelector(".banner.stopped").wasPainted')).toBe(true);
  });

  test('leaves the focus on a problem while another row fails', async () => {
    const scene = await openWorkScene(pages.t);
    await queueRows(scene.queue, goodRows(1));
    await fail(scene);
    const { url } = await serve(scene);
    const page = await visit(url);
    await page.getByRole('link', { name: 'Download them' }).focus();
    await queueRows(scene.queue, goodRows(1, 'Other'));
    await fail(scene);
    await page.getByRole('link', { name: 'Show 2 rows' }).waitFor();
    expect(await focused(page)).toBe('Download them');
  });

  /** Marks the live region that holds a text, and tells later whether another text is in that very element. */
  const regionOf = (page: Page, text: string) =>
    page.locator('[role=status], [role=alert]').filter({ hasText: text }).first();
  const mark = (page: Page, text: string) =>
    regionOf(page, text).evaluate((region) => void region.setAttribute('data-kept', ''));
  const isMarked = (page: Page, text: string) => regionOf(page, text).and(page.locator('[data-kept]')).waitFor();

  test('tells what the fleet does in regions that stay, which is what makes a screen reader read it out', async () => {
    const scene = await openWorkScene(pages.t);
    const { url } = await serve(scene);
    const page = await visit(url);
    await mark(page, 'Nothing is queued yet');
    await page
      .locator('[role=alert]')
      .first()
      .evaluate((region) => void region.setAttribute('data-kept', ''));
    await queueRows(scene.queue, goodRows(3));
    await isMarked(page, 'No worker is running');
    await scene.engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
    await isMarked(page, 'Stopped: LIMIT_EXCEEDED');
    await scene.resume();
    await scene.engine.store.heartbeat('w1', [], 60_000);
    await isMarked(page, 'Testing with one row first');
  });

  test('tells the plan of a file, and what was queued, in a region that stays', () =>
    withScratch(async (folder) => {
      const scene = await openWorkScene(pages.t);
      const { url } = await serve(scene);
      const path = join(folder, 'accounts.csv');
      await writeFile(path, 'Company\nAcme Ltd\nNorthwind\n');
      const page = await visit(url);
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByRole('button', { name: 'Send to Zia …' }).waitFor();
      await mark(page, '2 new rows');
      const other = await visit(page.url());
      await other.getByRole('button', { name: 'Send to Zia …' }).click();
      await other.getByRole('button', { name: 'Send 2 rows' }).click();
      await isMarked(page, '2 rows queued.');
    }));

  test('says that no worker runs, or no row waits, when the stop is lifted and no row can go first', async () => {
    const scene = await openWorkScene(pages.t);
    await scene.engine.store.control.change(() => stopped(INITIAL_CONTROL, STOP));
    await queueRows(scene.queue, goodRows(2));
    const { url } = await serve(scene);
    const page = await visit(url);
    await page.getByRole('button', { name: 'Resume …' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    const status = page.getByRole('status').first();
    await status
      .getByText('The stop with LIMIT_EXCEEDED is lifted, but nothing will be sent until a worker runs')
      .waitFor();
    expect(await status.innerText()).toMatch(/npm run worker[\s\S]*--work/);
    await scene.engine.store.heartbeat('w1', [], 60_000);
    await status.getByText('Testing with one row first').waitFor();
    await scene.queue.drain();
    await status
      .getByText('The stop with LIMIT_EXCEEDED is lifted. No row is waiting; the next one goes alone.')
      .waitFor();
  });

  test('paints the allowance that anybody asked for lately, before it asks itself', async () => {
    const scene = await openWorkScene(pages.t);
    const allowance = { total: 2_000, used: 540, left: 1_460, source: 'zoho' };
    await scene.engine.store.document('allowance').change((_, atMs) => ({ atMs, allowance }));
    const { url } = await serve(scene);
    expect(await (await fetch(url)).text()).toMatch(/Enrichments left<\/dt><dd><b>1,460<\/b><small>of 2,000</);
  });
});
