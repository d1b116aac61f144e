import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { expectAccessible, useDashboardPages } from '../support/dashboard-pages.js';
import { openWorkScene } from '../support/scene.js';
import { withScratch } from '../support/scratch.js';

jest.setTimeout(60_000);

describe('what the dashboard refuses', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;
  const expected = /Failed to load resource/;

  test('is a page with a way back: a file that is gone', async () => {
    const { url } = await serve(await openWorkScene(pages.t));
    const page = await visit(`${url}/files/gone`, { expected });
    await page.getByText('drop it again to find its rows').waitFor();
    await expectAccessible(page);
    await page.getByRole('link', { name: 'Back to the overview' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
  });

  test('is a page with the reason, in place of a download: the export of a file without usable columns', () =>
    withScratch(async (folder) => {
      const { url } = await serve(await openWorkScene(pages.t));
      const page = await visit(url, { expected });
      const path = join(folder, 'accounts.csv');
      await writeFile(path, 'Alpha,Beta\nAcme Ltd,1\n');
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByRole('link', { name: 'Download the export' }).click();
      await page.getByRole('heading', { name: 'That did not work' }).waitFor();
      await page.getByText('No column for name, email or website was found').waitFor();
    }));

  test.each([
    ['text/html,*/*;q=0.8', 'text/html; charset=UTF-8', '<p class="problem">Only the pages of this dashboard'],
    ['*/*', 'text/plain; charset=UTF-8', 'Only the pages of this dashboard'],
  ])(
    'is a page for browsers and words for programs: a form of another site, accepting %s',
    async (accept, type, text) => {
      const { url } = await serve(await openWorkScene(pages.t));
      const answer = await fetch(`${url}/resume`, {
        method: 'POST',
        headers: { accept, 'sec-fetch-site': 'cross-site' },
      });
      expect(answer.status).toBe(403);
      expect(answer.headers.get('content-type')).toBe(type);
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(await answer.text()).toContain(text);
    },
  );
});
