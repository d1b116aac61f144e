import { createServer } from 'node:net';
import { expect } from '@jest/globals';
import { withScene } from '../support/cli-scene.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

testIn.short('the built dashboard serves its page and everything the page asks for', () =>
  withScene('redis', {}, async (t) => {
    const dashboard = t.start(['dashboard'], { ZIA_DASHBOARD_PORT: '0' });
    const url = await waitFor(() => /dashboard: (\S+)/.exec(dashboard.stderr())?.[1], { what: 'the address' });
    const page = await (await fetch(url)).text();
    const links = [...page.matchAll(/<(?:script|link|img)\b[^>]*\b(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) expect([link, (await fetch(new URL(link ?? '', url))).status]).toEqual([link, 200]);
  }),
);

testIn.long(
  'run serves the dashboard too, on another port when the configured one is taken, and prints its address',
  () =>
    withScene('embedded', { latencyMs: 50 }, async (t) => {
      const other = createServer().listen(0, '127.0.0.1');
      try {
        await waitFor(() => other.listening);
        const { port } = other.address() as { port: number }; // of a TCP server that listens
        const file = await t.csv('a.csv', 60);
        const run = t.start(['run', file], { ZIA_DASHBOARD_PORT: String(port), ZIA_RATE_LIMIT_PER_SECOND: '10' });
        const url = await waitFor(() => /watch it: (\S+)/.exec(run.stderr())?.[1], {
          what: 'the address',
        });
        expect(url).not.toContain(`:${port}`);
        await waitFor(async () => (await (await fetch(url)).text()).includes('of 60 rows sent'), {
          what: 'the rows on the overview',
        });
        run.child.kill('SIGINT');
        expect((await run.ended).code).toBe(130);
      } finally {
        other.close();
      }
    }),
);

testIn.long('run goes on without the dashboard when that may not be served', () =>
  withScene('redis', { completeAfterMs: 10 }, async (t) => {
    const { code, stderr } = await t.run(['run', await t.csv('a.csv', 2)], {
      ZIA_DASHBOARD_HOST: '0.0.0.0',
      ZIA_RESULT_POLL_MS: '200',
    });
    expect(stderr).toContain('No dashboard: The dashboard does not listen on 0.0.0.0 without a login');
    expect(code).toBeLessThanOrEqual(3);
  }),
);
