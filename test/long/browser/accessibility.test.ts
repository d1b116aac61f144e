import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, jest, test } from '@jest/globals';
import { expectAccessible, useDashboardPages } from '../../support/dashboard-pages.js';
import { exampleRows } from '../../support/example.js';
import { openWorkScene } from '../../support/scene.js';
import { withScratch } from '../../support/scratch.js';

jest.setTimeout(400_000);

/** Columns by names that say something else: what is called website holds the companies. */
const SWAPPED = `Name,Website\n${Array.from({ length: 14 }, (_, at) => `www.firm${at}.example,Firm Number ${at} & Sons`).join('\n')}\n`;

const KEEP = process.env.UPDATE_SCREENSHOTS !== undefined;

function pictureOf(name: string): string {
  return new URL(`../../../docs/images/${name}.png`, import.meta.url).pathname;
}

describe('every page of the dashboard', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  const sizes = [1280, 768, 390, 320].flatMap((width) => [
    { width, colorScheme: 'light' as const },
    { width, colorScheme: 'dark' as const },
  ]);

  test.each(sizes)('has no serious fault of accessibility and does not scroll sideways: %o', ({ width, colorScheme }) =>
    withScratch(async (folder) => {
      const scene = await openWorkScene(pages.t, 'redis', { completeAfterMs: 20 });
      const { url } = await serve(scene);
      const page = await visit(url, { viewport: { width, height: 900 }, colorScheme, expected: /Failed to load/ });
      const path = join(folder, 'customers.csv');
      await writeFile(path, `${SWAPPED}x,y\n`);
      await expectAccessible(page);
      await page.getByRole('button', { name: 'Try it with the example file' }).click();
      await page.getByText(`${await exampleRows()} new rows`).waitFor();
      const example = page.url();
      await page.getByRole('button', { name: 'Send to Zia …' }).click();
      await page.getByRole('button', { name: 'Send 10 rows' }).click();
      await page.getByText('10 rows queued.').waitFor();
      await scene.workOff({ waitForResults: true, settings: { resultPollMs: 50 } });
      await page.getByText(/10 enrichments used/).waitFor({ timeout: 90_000 });
      await expectAccessible(page);
      const isKept = KEEP && width === 1280;
      const bought = page.locator('section').filter({ has: page.locator('#bought') });
      if (isKept) await bought.screenshot({ path: pictureOf(`bought-desktop-${colorScheme}`) });
      await page.goto(url);
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByText('of 15 rows sent').waitFor({ timeout: 60_000 });
      const file = page.url();
      await expectAccessible(page);
      await page.goto(`${file}?ask=send&take=all`);
      await expectAccessible(page);
      const row = `${example}/rows/2`;
      for (const to of [
        '/',
        '/files',
        '/rows',
        '/rows?search=oak',
        `${example}/rows`,
        row,
        '/rows?filter=failed',
        '/nothing',
      ]) {
        await page.goto(new URL(to, url).href);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await expectAccessible(page);
      }
      await page.goto(`${example}/rows`);
      if (isKept) await page.screenshot({ path: pictureOf(`rows-desktop-${colorScheme}`) });
      await page.goto(`${url}/rows`);
      await page.locator('table.rows a').first().click();
      await page.getByRole('heading', { name: 'History' }).waitFor();
      await expectAccessible(page);
    }),
  );
});
