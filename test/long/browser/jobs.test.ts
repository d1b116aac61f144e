import { describe, expect, jest, test } from '@jest/globals';
import { seriousFaults, useDashboardPages } from '../../support/dashboard-pages.js';
import { goodRows, queueRows } from '../../support/fleet.js';
import { openWorkScene } from '../../support/scene.js';

jest.setTimeout(60_000);

describe('bull-board', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  test('shows the queue and a job under our content security policy, and asks nobody else for anything', async () => {
    const scene = await openWorkScene(pages.t);
    const [key = ''] = await queueRows(scene.queue, goodRows(3));
    const { url } = await serve(scene);
    const page = await visit(`${url}/queues`);
    await page.getByRole('link', { name: 'zia-enrich' }).first().click();
    await page.getByText(key).first().waitFor();
    await page.goto(`${url}/queues/queue/zia-enrich/${key}`);
    await page
      .getByText(/Company 1/)
      .first()
      .waitFor();
    // Its pages are not ours to mend.
    console.info(`axe on bull-board: ${(await seriousFaults(page)).map((fault) => fault.split(':')[0]).join(', ')}`);
    expect(await page.title()).toContain('zia-bulk-enrich');
  });
});
