import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import type { Locator, Page } from 'playwright-core';
import { useDashboardPages } from '../../support/dashboard-pages.js';
import { openWorkScene } from '../../support/scene.js';
import { withScratch } from '../../support/scratch.js';
import { waitFor } from '../../support/wait.js';

jest.setTimeout(60_000);

describe('dropping files on the overview', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  async function files(folder: string, ...names: readonly string[]): Promise<string[]> {
    const paths = names.map((name) => join(folder, name));
    for (const path of paths) await writeFile(path, 'Company\nAcme Ltd\n');
    return paths;
  }

  /** As a person does it: an event that a script makes up would never make the browser leave the page. */
  async function drop(page: Page, target: Locator, paths: string[]): Promise<void> {
    await target.scrollIntoViewIfNeeded();
    const box = await target.boundingBox();
    if (box === null) throw new Error('There is nothing to drop on.');
    const browser = await page.context().newCDPSession(page);
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await browser.send('Input.dispatchDragEvent', {
        type,
        x: box.x + box.width / 2,
        y: box.y + 10,
        data: { items: [], files: paths, dragOperationsMask: 1 },
      });
    }
  }

  const box = (page: Page) => page.locator('#upload');
  const told = (page: Page) => page.locator('#upload-status');

  test('takes a file that is dropped into the box, and lets the browser open none that is dropped beside it', () =>
    withScratch(async (folder) => {
      const { url } = await serve(await openWorkScene(pages.t));
      const page = await visit(url);
      const paths = await files(folder, 'accounts.csv');
      await page.evaluate(`addEventListener('dragover', (event) => {
        globalThis.effect = event.defaultPrevented && event.dataTransfer.dropEffect;
      })`);
      await drop(page, page.getByRole('heading', { name: 'Overview' }), paths);
      expect(await page.evaluate('globalThis.effect')).toBe('none');
      await drop(page, box(page), paths);
      await page.getByRole('heading', { name: 'accounts.csv' }).waitFor();
      expect(page.url()).toContain(`${url}/files/`);
    }));

  test('takes one file at a time: sends none of several, and no second one while one is sent', () =>
    withScratch(async (folder) => {
      const { url } = await serve(await openWorkScene(pages.t));
      const page = await visit(url);
      const [first = '', second = ''] = await files(folder, 'accounts.csv', 'leads.csv');
      const sent: string[] = [];
      await page.route('**/files?name=*', (route) => void sent.push(route.request().url()));
      await drop(page, box(page), [first, second]);
      expect(await told(page).innerText()).toBe('Please drop one file at a time: accounts.csv first, then the others.');
      await drop(page, box(page), [first]);
      await waitFor(() => sent.length === 1);
      await drop(page, box(page), [second]);
      await told(page).getByText('accounts.csv is still being sent: drop leads.csv again after that.').waitFor();
      expect(sent).toEqual([`${url}/files?name=accounts.csv`]);
    }));
});
