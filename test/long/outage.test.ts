import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { openDurableRedis } from '../chaos/durable-redis.js';
import { useDashboardPages } from '../support/dashboard-pages.js';
import { quietLog } from '../support/engines.js';
import { openSandbox } from '../support/sandbox.js';
import { openWorkScene } from '../support/scene.js';
import { withScratch } from '../support/scratch.js';

jest.setTimeout(90_000);

describe('an open page, when what is behind it goes away', () => {
  const pages = useDashboardPages();
  const { serve, visit } = pages;

  test('says that the queue cannot be read, keeps the last figures, and goes on when it is back', async () => {
    const redis = pages.t.closing(await openDurableRedis(), (opened) => opened.close());
    const prefix = `test-${randomBytes(4).toString('hex')}`;
    const settings = { redisUrl: redis.url, dataDir: '/nowhere', prefix, queueName: 'zia-enrich' };
    const engine = pages.t.closing(await openEngine(settings, quietLog), (opened) => opened.close());
    const { url } = await serve({ engine, sandbox: await openSandbox(pages.t) });
    const page = await visit(url);
    await page.getByRole('heading', { name: 'Nothing is queued yet' }).waitFor();
    for (let times = 0; times < 2; times += 1) {
      await redis.end('SIGKILL');
      await page.getByRole('alert').getByText('Can’t reach the queue').waitFor();
      expect(await page.getByRole('heading', { name: 'Add a file' }).isVisible()).toBe(true);
      await page.reload();
      await page.getByRole('alert').getByText('Can’t reach the queue').waitFor();
      await redis.start();
      await page.getByRole('heading', { name: 'Nothing is queued yet' }).waitFor();
      expect(await page.getByRole('alert').innerText()).toBe('');
    }
  });

  test.each([
    [503, 'The dashboard cannot answer right now; trying again …'],
    [429, 'The dashboard cannot answer right now; trying again …'],
    [401, 'The dashboard asks for the login again: reload the page.'],
  ])('says of a file’s page that the dashboard answers %i, until it answers well', (status, text) =>
    withScratch(async (folder) => {
      const { url } = await serve(await openWorkScene(pages.t));
      const page = await visit(url, { expected: /Failed to load resource/ });
      const path = join(folder, 'accounts.csv');
      await writeFile(path, 'Company\nAcme Ltd\n');
      await page.getByLabel('Drop a CSV file here').setInputFiles(path);
      await page.getByRole('heading', { name: 'accounts.csv' }).waitFor();
      await page.route(/\/parts/, (route) => route.fulfill({ status, body: 'no' }));
      const connection = page.locator('#connection');
      await connection.getByText(text).waitFor();
      await page.unroute(/\/parts/);
      await connection.getByText(text).waitFor({ state: 'detached' });
    }),
  );
});
