import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, jest, test } from '@jest/globals';
import type { Locator } from 'playwright-core';
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

/** Colours do not change the layout, so the dark ones are looked at once in each of the two layouts. */
const SIZES = [
  ...[320, 390, 768, 1280].map((width) => ({ width, colorScheme: 'light' as const })),
  ...[390, 1280].map((width) => ({ width, colorScheme: 'dark' as const })),
];

describe('every page of the dashboard', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  test('has no serious fault of accessibility and does not scroll sideways, on any width, light and dark', () =>
    withScratch(async (folder) => {
      const scene = await openWorkScene(pages.t, 'redis', { completeAfterMs: 20 });
      const { url } = await serve(scene);
      const page = await visit(url, { expected: /Failed to load/ });
      /** Checks the page that is shown in every size, and leaves it in the largest. */
      const check = async (picture?: { readonly name: string; readonly of?: Locator }) => {
        for (const { width, colorScheme } of SIZES) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 900 });
          await expectAccessible(page);
          if (KEEP && picture !== undefined && width === 1280)
            await (picture.of ?? page).screenshot({ path: pictureOf(`${picture.name}-desktop-${colorScheme}`) });
        }
      };
      const path = join(folder, 'customers.csv');
      await writeFile(path, `${SWAPPED}x,y\n`);
      await check();
      await page.getByRole('button', { name: 'Try it with the example file' }).click();
      await page.getByText(`${await exampleRows()} new rows`).waitFor();
      const example = page.url();
      await page.getByRole('button', { name: 'Send to Zia …' }).click();
      await page.getByRole('button', { name: 'Send 10 rows' }).click();
      await page.getByText('10 rows queued.').waitFor();
      await scene.workOff({ waitForResults: true, settings: { resultPollMs: 50 } });
      await page.getByText(/10 enrichments used/).waitFor();
      await check({ name: 'bought', of: page.locator('section').filter({ has: page.locator('#bought') }) });
      await page.goto(url);
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByText('of 15 rows sent').waitFor();
      const file = page.url();
      await check();
      await page.goto(`${file}?ask=send&take=all`);
      await check();
      const visited = [
        ['/'],
        ['/files'],
        ['/rows'],
        ['/rows?search=oak'],
        [`${example}/rows`, 'rows'],
        [`${example}/rows/2`],
        ['/rows?filter=failed'],
        ['/nothing'],
      ] as const;
      for (const [to, name] of visited) {
        await page.goto(new URL(to, url).href);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await check(name && { name });
      }
      await page.goto(`${url}/rows`);
      await page.locator('table.rows a').first().click();
      await page.getByRole('heading', { name: 'History' }).waitFor();
      await check();
    }));
});
