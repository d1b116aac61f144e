import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { startSandbox } from '../../../src/sandbox/server.js';
import { cli } from '../../support/cli.js';
import { withScratch } from '../../support/scratch.js';

const QUIET = { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 };

test(
  'two profiles in one folder work at the same time for two orgs, and nothing crosses',
  () =>
    withScratch(async (folder) => {
      const orgs = { acme: await startSandbox(QUIET), 'big-co': await startSandbox(QUIET) };
      try {
        await writeFile(join(folder, '.env'), 'ZOHO_CLIENT_ID=nobody\nZIA_QUEUE=other\nZIA_MODULE=Leads\n');
        for (const [name, { url }] of Object.entries(orgs)) {
          const account = 'ZOHO_CLIENT_ID=sandbox\nZOHO_CLIENT_SECRET=sandbox\nZOHO_REFRESH_TOKEN=sandbox\n';
          await writeFile(
            join(folder, `.env.${name}`),
            `${account}ZOHO_ACCOUNTS_URL=${url}\nZOHO_API_DOMAIN=${url}\nZIA_RESULT_POLL_MS=200\n`,
          );
          const rows = Array.from({ length: 12 }, (_, at) => `Company ${name} ${at},info@c${at}.example`);
          await writeFile(join(folder, `${name}.csv`), `Company,Email\n${rows.join('\n')}\n`);
        }
        const ended = await Promise.all(
          Object.keys(orgs).map((name) => cli(['run', `${name}.csv`, '--yes', '--profile', name], { cwd: folder })),
        );
        expect(ended.map(({ code }) => code)).toEqual([0, 0]);
        for (const [name, sandbox] of Object.entries(orgs)) {
          const names = sandbox.enrichments().map(({ sent }) => sent.name ?? '');
          expect(names).toHaveLength(12);
          expect(names.every((one) => one.includes(name))).toBe(true);
          expect(sandbox.enrichments().every(({ sent }) => sent.module === 'Accounts')).toBe(true);
          const status = await cli(['status', '--json'], { cwd: folder, env: { ZIA_PROFILE: name } });
          expect(JSON.parse(status.stdout).queue).toMatchObject({ completed: 12, waiting: 0 });
          expect(status.stderr).toContain(`profile ${name}, `);
          expect(
            JSON.parse(await readFile(join(folder, `.zia-${name}`, `last-engine.${name}.json`), 'utf8')),
          ).toMatchObject({
            engine: 'embedded',
          });
        }
      } finally {
        await Promise.all(Object.values(orgs).map((sandbox) => sandbox.close()));
      }
    }),
  120_000,
);

test(
  'a profile of a bad name, or named in a settings file, is refused',
  () =>
    withScratch(async (folder) => {
      expect(await cli(['status', '--profile', '../acme'], { cwd: folder })).toMatchObject({
        code: 2,
        // And of nothing else: what follows from a name that is none is no fault of its own.
        stderr: expect.stringMatching(/^error: \S+ setting is wrong:\n {2}ZIA_PROFILE: expected up to 40.*\n$/),
      });
      await writeFile(join(folder, '.env'), 'ZIA_PROFILE=acme\n');
      expect(await cli(['status'], { cwd: folder })).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('use --profile'),
      });
    }),
  60_000,
);
