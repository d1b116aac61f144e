import { describe, expect, jest, test } from '@jest/globals';
import { UnrecoverableError } from 'bullmq';
import type { Page } from 'playwright-core';
import { INITIAL_CONTROL, stopped } from '../../src/lib/core/control.js';
import { useDashboardPages } from '../support/dashboard-pages.js';
import { goodRows, queueRows } from '../support/fleet.js';
import { openWorkScene, type WorkScene } from '../support/scene.js';
import { waitFor } from '../support/wait.js';

jest.setTimeout(60_000);

const STOP = { code: 'LIMIT_EXCEEDED', message: 'The allowance is used up.', sinceMs: 1, key: null, line: null };

describe('a page that is kept up to date', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  const focused = (page: Page) => page.evaluate<string>('document.activeElement.textContent.trim()');
  const waiting = (page: Page, rows: number) =>
    page.locator('dt:has-text("Waiting") + dd').getByText(String(rows), { exact: true }).waitFor();

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

  test('leaves the focus on a failed row while another one fails', async () => {
    const scene = await openWorkScene(pages.t);
    const [key] = await queueRows(scene.queue, goodRows(1));
    await fail(scene);
    const { url } = await serve(scene);
    const page = await visit(url);
    await page.getByRole('link', { name: 'Line 2' }).focus();
    await queueRows(scene.queue, goodRows(1, 'Other'));
    await fail(scene);
    await waitFor(async () => (await page.getByRole('link', { name: 'Line 2' }).count()) === 2);
    expect(await page.evaluate('document.activeElement.href')).toContain(key);
  });
});
