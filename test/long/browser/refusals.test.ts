import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { expectAccessible, useDashboardPages } from '../../support/dashboard-pages.js';
import { openWorkScene } from '../../support/scene.js';
import { withScratch } from '../../support/scratch.js';

jest.setTimeout(60_000);

describe('what the dashboard refuses', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;
  const expected = /Failed to load resource/;

  test('is a page with a way back: a file that is gone', async () => {
    const { url } = await serve(await openWorkScene(pages.t));
    const page = await visit(`${url}/files/gone`, { expected });
    await page.getByText('add it again, nothing is lost').waitFor();
    await expectAccessible(page);
    await page.getByRole('link', { name: 'Back to the overview' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
  });

  test('is told before: a file without usable columns has nothing to download', () =>
    withScratch(async (folder) => {
      const { url } = await serve(await openWorkScene(pages.t));
      const page = await visit(url, { expected });
      const path = join(folder, 'accounts.csv');
      await writeFile(path, 'Alpha,Beta\nAcme Ltd,1\n');
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page
        .getByText(
          'No column for name, email or website was found among the headers "Alpha", "Beta": choose one below.',
        )
        .waitFor();
      expect(await page.getByRole('button', { name: 'Download everything' }).isDisabled()).toBe(true);
      await page.goto(`${page.url()}/export`);
      await page.getByRole('heading', { name: 'That did not work' }).waitFor();
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
