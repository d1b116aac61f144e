import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { summarise } from '../../../src/sandbox/effects.js';
import { numberAfter, useDashboardPages } from '../../support/dashboard-pages.js';
import { ENGINE_KINDS } from '../../support/engines.js';
import { exampleRows } from '../../support/example.js';
import { answering, openWorkScene, refusal } from '../../support/scene.js';
import { withScratch } from '../../support/scratch.js';
import { waitFor } from '../../support/wait.js';

jest.setTimeout(400_000);

/** Columns by names that say something else: what is called website holds the companies. */
const SWAPPED = `Name,Website\n${Array.from({ length: 14 }, (_, at) => `www.firm${at}.example,Firm Number ${at} & Sons`).join('\n')}\n`;

/** Presses Tab until something with this text or id has the focus. */
async function tabTo(page: Page, wanted: string): Promise<void> {
  const seen: string[] = [];
  while (seen.at(-1) !== wanted) {
    if (seen.length > 60) throw new Error(`Tab does not lead to ${wanted}, but to ${seen.join(', ')}.`);
    await page.waitForLoadState();
    await page.keyboard.press('Tab');
    const what = 'document.activeElement.id || document.activeElement.textContent.trim()';
    // A form that was sent just now may lead to another page at any time.
    seen.push(await page.evaluate<string>(what).catch(() => 'a page that has gone'));
  }
}

const pages = useDashboardPages();
const { serve, visit } = pages;

describe.each(ENGINE_KINDS)('an admin with a browser alone, on the %s engine', (kind) => {
  test('goes from an empty page to corrected problems', () =>
    withScratch(async (folder) => {
      const scene = await openWorkScene(pages.t, kind, { completeAfterMs: 50 });
      const { url } = await serve(scene);
      const page = await visit(url);
      const click = (name: string | RegExp) => page.getByRole('button', { name }).click();
      await page.getByRole('heading', { name: 'Nothing is queued yet' }).waitFor();
      await click('Try it with the example file');
      await page.getByRole('heading', { name: 'example.csv' }).waitFor();
      await page.getByText(`${await exampleRows()} new rows`).waitFor();

      // A wrong mapping is pointed out, value by value.
      await page.goto(url);
      const path = join(folder, 'customers.csv');
      await writeFile(path, SWAPPED);
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByRole('heading', { name: 'customers.csv' }).waitFor();
      await page.getByText('Website does not look like websites: 14 of 14 values cannot be sent.').waitFor();
      const struck = await page.locator('td s').allInnerTexts();
      expect(struck).toEqual(expect.arrayContaining(['Firm Number 0 & Sons', 'www.firm0.example']));
      await page.getByLabel('Company name').selectOption('Website');
      await page.getByLabel('Website').selectOption('Name');
      await click('Use these columns');
      await page.getByText('14 new rows').waitFor();

      // Ten first: the question is in the middle of the window, and the page then shows that something happened.
      await click('Send to Zia …');
      const dialog = page.getByRole('dialog', { name: 'Send 10 rows to Zia?' });
      const box = await dialog.boundingBox();
      const { width = 0, height = 0 } = page.viewportSize() ?? {};
      expect(Math.abs((box?.x ?? 0) + (box?.width ?? 0) / 2 - width / 2)).toBeLessThan(3);
      expect(Math.abs((box?.y ?? 0) + (box?.height ?? 0) / 2 - height / 2)).toBeLessThan(3);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'hidden' });
      expect(scene.posts()).toHaveLength(0);
      await click('Send to Zia …');
      await click('Send 10 rows');
      await page.getByText('10 rows queued.').waitFor();
      expect(await page.locator('#stage').evaluate((stage) => stage.getBoundingClientRect().top)).toBeLessThan(height);
      await page.getByText('No worker is running.').waitFor();
      expect((await scene.engine.counts()).waiting).toBe(10);

      // The rest, which the fleet cannot send: a stop, and its resume. Three rows for the two that are left, and one refused.
      scene.sandbox.configure({ quota: 12, faults: [answering(400, REFUSED, { match: 'Number 13' })] });
      scene.work({ settings: { resultPollMs: 100 } });
      await page.getByText('10 of 14 rows sent').waitFor();
      await click('Send the rest …');
      await click('Send 4 rows');
      await page.getByRole('alert').getByText('Stopped: LIMIT_EXCEEDED').waitFor();
      expect(await page.title()).toMatch(/^\(!\) Stopped/);
      await page.goto(url);
      await click('Resume …');
      await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
      await page.getByText(/Tried again at .*: still LIMIT_EXCEEDED\./).waitFor();
      scene.sandbox.configure({ quota: null });
      await click('Resume …');
      await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
      await page.getByRole('heading', { name: 'All done' }).waitFor();

      // A problem, retried; then downloaded and corrected.
      await page.getByRole('heading', { name: 'EXPECTED_FIELD_MISSING 1' }).waitFor();
      await click('Retry 1 row');
      await page.getByText('1 row back in the queue.').waitFor();
      await waitFor(async () => (await scene.engine.counts()).failed === 1, { what: 'the row to fail again' });
      await page.getByRole('heading', { name: 'EXPECTED_FIELD_MISSING 1' }).waitFor();
      await page.getByRole('link', { name: 'customers.csv' }).click();
      await page.getByText('14 of 14 rows sent').waitFor();
      const [problems] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: /^Problems, to correct/ }).click(),
      ]);
      const corrected = join(folder, 'corrected.csv');
      const text = await readFile(await problems.path(), 'utf8');
      expect(text.trim().split('\n')).toHaveLength(2);
      await writeFile(corrected, text.replace('Firm Number 13', 'Firm Thirteen'));

      // A row is looked up by its company, and what the money bought is told by column.
      await page.getByRole('link', { name: 'Show the rows' }).click();
      await page.getByLabel('Search companies').fill('number 7 ');
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: 'Firm Number 7 & Sons' }).click();
      await page.getByRole('heading', { name: 'Zia found' }).waitFor();
      await page.getByText('Result received').waitFor();
      await page.goBack();
      await page.goBack();
      await page.goBack();
      await page.getByText(/13 enrichments used, \d+ compan/).waitFor();

      await page.goto(url);
      await page.getByLabel('Drop a CSV file here').setInputFiles(corrected);
      await page.getByRole('heading', { name: 'corrected.csv' }).waitFor();
      await page.getByText('1 new row').waitFor();
      await click('Send to Zia …');
      await click('Send 1 row');
      await page.getByText('1 row queued.').waitFor();
      await waitFor(async () => (await scene.engine.store.counts()).scheduled === 14, { what: 'the corrected row' });
      expect(summarise(scene.sandbox.log()).acceptedTwice).toBe(0);
    }));

  test('does the same by keyboard alone: the example, ten rows, a pause, its resume, a problem retried, a row by its company, what was bought, the problems as a file', async () => {
    const scene = await openWorkScene(pages.t, kind, { completeAfterMs: 50 });
    const { url } = await serve(scene);
    const page = await visit(url);
    const press = async (wanted: string) => {
      await tabTo(page, wanted);
      await page.keyboard.press('Enter');
    };
    await press('Try it with the example file');
    await page.getByRole('button', { name: 'Send to Zia …' }).waitFor();
    await press('send-open');
    await page.getByRole('dialog').waitFor();
    await press('Send 10 rows');
    await page.getByText('10 rows queued.').waitFor();
    await press('Overview');
    await page.getByRole('heading', { name: 'No worker is running' }).waitFor();
    await press('Pause');
    await page.getByRole('heading', { name: 'Paused' }).waitFor();
    expect(await page.getByRole('alert').innerText()).toBe('');
    await press('resume-open');
    await press('Resume');
    scene.sandbox.configure({ faults: [answering(400, REFUSED, { match: 'Oakhurst' })] });
    scene.work({ settings: { resultPollMs: 100 } });
    await page.getByRole('heading', { name: 'EXPECTED_FIELD_MISSING 1' }).waitFor();
    scene.sandbox.configure({ faults: [] });
    await press('Retry 1 row');
    await page.getByText('1 row back in the queue.').waitFor();
    await page.getByRole('heading', { name: 'All done' }).waitFor();
    await page.getByRole('heading', { name: 'EXPECTED_FIELD_MISSING 1' }).waitFor({ state: 'hidden' });
    expect(await numberAfter(page, 'Enriched')).toBeGreaterThan(0);
    await press('All rows');
    await tabTo(page, 'search');
    await page.keyboard.type('oakhurst');
    await page.keyboard.press('Enter');
    await page.getByText('1 row with “oakhurst”').waitFor();
    await press('Oakhurst Logistics Ltd');
    await page.getByRole('heading', { name: 'Oakhurst Logistics Ltd' }).waitFor();
    await press('Files');
    await press('example.csv');
    await page.getByText(/10 enrichments used, \d+ compan/).waitFor();
    const link = page.getByRole('link', { name: /^Problems, to correct/ });
    const [problems] = await Promise.all([page.waitForEvent('download'), press(await link.innerText())]);
    expect(problems.suggestedFilename()).toBe('example.problems.csv');
  });
});

/** The pictures in the documents are made anew only when somebody asks for that. */
const REFUSED = refusal('EXPECTED_FIELD_MISSING', {}, 'listed');
