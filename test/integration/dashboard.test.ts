import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UnrecoverableError } from 'bullmq';
import { createFileActions } from '../../src/dashboard/file-actions.js';
import { type Dashboard, type DashboardOptions, startDashboard } from '../../src/dashboard/server.js';
import { loadConfig } from '../../src/lib/config.js';
import { INITIAL_CONTROL, type StopReason, stopped } from '../../src/lib/core/control.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import { resolveColumns } from '../../src/lib/csv/resolve-columns.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { jobOptions } from '../../src/lib/queues.js';
import { liftStop } from '../../src/lib/store/lift-stop.js';
import { readBudget } from '../../src/lib/store/set-budget.js';
import { ENGINES_IN_TURN, openTestEngine, quietLog } from '../support/engines.js';
import { uploadedFiles } from '../support/uploaded-files.js';
import { waitFor } from '../support/wait.js';

const KEY = 'r1AAAAAAAAAAAAAAAAAAAAAA' as IdentityKey;
const OTHER_KEY = 'r1BBBBBBBBBBBBBBBBBBBBBB' as IdentityKey;
const LATER_KEY = 'r1CCCCCCCCCCCCCCCCCCCCCC' as IdentityKey;
const STOP = { code: 'LIMIT_EXCEEDED', message: 'Quota <spent>.', sinceMs: 1_750_000_000_000, key: null, line: null };

const OWN_PAGE = { 'sec-fetch-site': 'same-origin' };

describe.each(ENGINES_IN_TURN)('dashboard on the %s engine', (kind) => {
  let engine: Engine;
  let closers: (() => Promise<void>)[];
  beforeEach(async () => {
    const opened = await openTestEngine(kind);
    engine = opened.engine;
    closers = [opened.close];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  async function start(options: Partial<DashboardOptions> = {}): Promise<Dashboard> {
    const dashboard = await startDashboard({ host: '127.0.0.1', port: 0, engine, log: quietLog, ...options });
    closers.push(dashboard.close);
    return dashboard;
  }

  async function enqueueOne(): Promise<void> {
    const queue = engine.openQueue();
    await queue.add('enrich', { v: 1, module: 'Accounts', name: 'Acme Ltd', line: 7 }, jobOptions(KEY, 5));
    await queue.close();
  }

  const figure = (page: string, label: string) =>
    new RegExp(`${label}(?:<small>[\\s\\S]*?</small>)?</dt><dd[^>]*>(?:<b>|<a [^>]*>)?([^<]*)<`).exec(page)?.[1];
  const pageOf = async ({ url }: Dashboard) => (await fetch(url)).text();
  const stop = (reason: Partial<StopReason> = {}) =>
    engine.store.control.change(() => stopped(INITIAL_CONTROL, { ...STOP, ...reason }));

  test('is painted by the server: engine, rows by outcome, workers, pace, all without a script', async () => {
    await enqueueOne();
    await engine.store.heartbeat('w1', [], 60_000);
    const page = await pageOf(await start({ limits: { ratePerSecond: 7, maxInFlight: 3 } }));
    expect(page).toContain(engine.description.replaceAll('"', '&quot;'));
    expect(figure(page, 'Waiting')).toBe('1');
    expect(figure(page, 'Workers running')).toBe('1');
    expect(page).toContain('limit 7');
    expect(page).toContain('at most 3');
    expect(page).toContain('0 of 1 row sent (0%)');
    expect(page).toContain('Nothing was measured yet.');
  });

  test('shows the budget, sets and removes it, and takes nothing that is no number', async () => {
    const dashboard = await start();
    const set = (rows: string) =>
      fetch(`${dashboard.url}/budget`, {
        method: 'POST',
        headers: OWN_PAGE,
        body: new URLSearchParams({ rows }),
        redirect: 'manual',
      });
    expect(await pageOf(dashboard)).toContain('No budget is set');
    expect((await set('250')).status).toBe(303);
    expect(await readBudget(engine.store)).toMatchObject({ budget: { left: 250, rows: 250 } });
    expect(await pageOf(dashboard)).toContain('Budget: 250 of 250 rows left.');
    expect((await set('-1')).status).toBe(400);
    expect((await set('off')).status).toBe(303);
    expect(await readBudget(engine.store)).toMatchObject({ budget: null });
    const viewOnly = await start({ readOnly: true });
    expect((await fetch(`${viewOnly.url}/budget`, { method: 'POST', headers: OWN_PAGE })).status).toBe(403);
    expect(await pageOf(viewOnly)).not.toContain('action="/budget"');
  });

  test('tells waiting for results, with a worker and without one, from all done', async () => {
    await submitted(engine, KEY, '1');
    const dashboard = await start();
    const shows = (title: string) =>
      waitFor(async () => (await pageOf(dashboard)).includes(`<h2>${title}</h2>`), { what: title });
    await shows('Waiting for 1 result: no worker is running');
    expect(await pageOf(dashboard)).toContain('no worker is running to collect their results');
    await engine.store.heartbeat('w1', [], 60_000);
    await shows('Waiting for 1 result');
    await engine.store.finish(KEY, 'COMPLETED', null, '1' as EnrichmentId);
    await shows('All done');
  });

  test('says of a stop why, since when, at which row and what to do, all escaped', async () => {
    await enqueueOne();
    const dashboard = await start();
    await stop({ key: KEY, line: 1_234 });
    const page = await waitFor(async () => {
      const text = await pageOf(dashboard);
      return text.includes('LIMIT_EXCEEDED') && text;
    });
    expect(page).toContain('Quota &lt;spent&gt;.');
    expect(page).toContain('2025-06-15 15:06:40 UTC');
    expect(page).toMatch(new RegExp(`<a href="/rows/${KEY}">[A-Z][^<]+ · line 1,234</a>`));
    expect(page).toContain('Wait for new allowance');
    expect(page).toContain('<form method="post" action="/resume" id="resume">');
  });

  const epochOn = (page: string) =>
    /<input type="hidden" name="epoch" value="(\d+)" form="resume"/.exec(page)?.[1] ?? '';
  const resume = ({ url }: Dashboard, epoch: string) =>
    fetch(`${url}/resume`, {
      method: 'POST',
      headers: OWN_PAGE,
      body: new URLSearchParams({ epoch }),
      redirect: 'manual',
    });

  test('resumes, which lets one row go first', async () => {
    const dashboard = await start();
    await enqueueOne();
    await engine.store.heartbeat('w1', [], 60_000);
    await stop();
    const page = await waitFor(async () => {
      const text = await pageOf(dashboard);
      return text.includes('Stopped: <code>LIMIT_EXCEEDED</code>,') && text;
    });
    const answer = await resume(dashboard, epochOn(page));
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/']);
    expect((await engine.store.control.read()).value?.mode).toBe('canary');
    await waitFor(async () => (await pageOf(dashboard)).includes('Testing with one row first'));
    expect((await resume(dashboard, epochOn(page))).status).toBe(303);
  });

  test('resumes no stop that came after the page, and says so', async () => {
    const dashboard = await start();
    await stop();
    const page = await waitFor(async () => {
      const text = await pageOf(dashboard);
      return text.includes('LIMIT_EXCEEDED') && text;
    });
    await liftStop(engine.store.control);
    await engine.store.control.change((control) =>
      stopped(control ?? INITIAL_CONTROL, { ...STOP, code: 'INVALID_TOKEN' }),
    );
    const bare = () => fetch(`${dashboard.url}/resume`, { method: 'POST', headers: OWN_PAGE });
    for (const ask of [() => resume(dashboard, epochOn(page)), () => resume(dashboard, ''), bare]) {
      const answer = await ask();
      expect([answer.status, await answer.text()]).toEqual([409, expect.stringContaining('Another stop')]);
    }
    expect((await engine.store.control.read()).value?.mode).toBe('stopped');
  });

  test('says that Zoho asked for a pause, and when it ends', async () => {
    const dashboard = await start();
    await enqueueOne();
    await engine.store.heartbeat('w1', [], 60_000);
    await engine.store.control.change((_, nowMs) => ({
      ...INITIAL_CONTROL,
      backoffReason: 'throttled',
      backoffUntilMs: nowMs + 60_000,
      backoffSinceMs: nowMs,
      maxInFlight: 2,
    }));
    await waitFor(async () =>
      /Zoho is limiting us[\s\S]*waiting, 2 of 5 requests at once/.test(await pageOf(dashboard)),
    );
  });

  test('groups failed rows by code, with the reason, their number, and what can be done', async () => {
    await enqueueOne();
    const worker = engine.openWorker(
      () => {
        throw new UnrecoverableError('INVALID_DATA: Zoho does not accept <this> name.');
      },
      { autorun: true },
    );
    await waitFor(async () => (await engine.counts()).failed === 1);
    await worker.close();
    const dashboard = await start();
    const page = await pageOf(dashboard);
    expect(figure(page, 'Failed')).toBe('1');
    expect(page).toContain('<code>INVALID_DATA</code> <span class="count">1</span>');
    expect(page).toContain('Zoho does not accept &lt;this&gt; name.');
    expect(page).toContain('<a class="button" href="/rows?filter=failed&code=INVALID_DATA">Show 1 row</a>');
    const rows = await (await fetch(`${dashboard.url}/rows?filter=failed&code=INVALID_DATA`)).text();
    expect(rows).toContain(`<a href="/rows/${KEY}">Acme Ltd</a>`);
    expect(await (await fetch(`${dashboard.url}/rows?filter=failed&code=OTHER`)).text()).not.toContain('Acme Ltd');
    const csv = await (await fetch(`${dashboard.url}/problems/INVALID_DATA.csv`)).text();
    expect(csv).toMatch(
      /^\uFEFF?Company,Email,Website,Record Id,zia_status[^\n]*\r\nAcme Ltd,,,,failed,,,INVALID_DATA,/,
    );
    const retried = await fetch(`${dashboard.url}/problems/retry`, {
      method: 'POST',
      headers: OWN_PAGE,
      body: new URLSearchParams({ code: 'INVALID_DATA' }),
      redirect: 'manual',
    });
    expect([retried.status, retried.headers.get('location')]).toEqual([303, '/?retried=1']);
    expect(await engine.counts()).toMatchObject({ failed: 0, waiting: 1 });
    expect(await (await fetch(`${dashboard.url}/?retried=1`)).text()).toContain('1 row back in the queue.');
  });

  test('counts and lists rows that Zoho accepted and then failed, among the others', async () => {
    await enqueueOne();
    await submitted(engine, KEY, '1');
    await submitted(engine, OTHER_KEY, '2');
    await engine.store.finish(KEY, 'FAILED', null);
    await engine.store.finish(OTHER_KEY, 'DATA_NOT_FOUND', null);
    await submitted(engine, LATER_KEY, '3');
    await engine.store.finish(LATER_KEY, 'FAILED', null);
    const dashboard = await start();
    const page = await pageOf(dashboard);
    expect(figure(page, 'Failed')).toBe('2');
    expect(figure(page, 'No data found')).toBe('1');
    expect(page).toContain('<code>ENRICHMENT_FAILED</code> <span class="count">2</span>');
    const rows = await (await fetch(`${dashboard.url}/rows?filter=failed`)).text();
    expect([rows.includes(`/rows/${KEY}"`), rows.includes(`/rows/${LATER_KEY}"`)]).toEqual([true, true]);
    expect(await (await fetch(`${dashboard.url}/rows?filter=notfound`)).text()).toContain(`/rows/${OTHER_KEY}"`);
  });

  test('tells open pages what changed', async () => {
    const { url } = await start();
    const parts = async () => ((await (await fetch(`${url}/parts`)).json()) as Update).parts;
    expect(figure((await parts()).outcomes ?? '', 'Waiting')).toBe('0');
    await enqueueOne();
    await waitFor(async () => figure((await parts()).outcomes ?? '', 'Waiting') === '1');
  });

  test('shows the queue and its jobs in bull-board', async () => {
    await enqueueOne();
    const { url } = await start();
    const query = `activeQueue=${engine.queueName}&status=waiting&page=1&jobsPerPage=10`;
    const answer = await fetch(`${url}/queues/api/queues?${query}`);
    const { queues } = JSON.parse(await answer.text());
    expect(queues).toMatchObject([{ name: engine.queueName, readOnlyMode: true, counts: { waiting: 1 } }]);
    expect(queues[0].jobs).toMatchObject([{ id: KEY, data: { name: 'Acme Ltd' } }]);
    expect((await fetch(`${url}/queues/api/redis/stats`)).status).toBe(200);
  });

  test('tells monitors that it lives, whether the fleet is ready, and the figures', async () => {
    const { url } = await start();
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n');
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    await stop();
    const readiness = await fetch(`${url}/readyz`);
    expect([readiness.status, await readiness.text()]).toEqual([503, expect.stringContaining('LIMIT_EXCEEDED')]);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('zia_fleet_mode{mode="stopped"} 1');
  });

  test('changes jobs only when asked to', async () => {
    await enqueueOne();
    const clean = async ({ url }: Dashboard) => {
      const path = `${url}/queues/api/queues/${engine.queueName}/${KEY}/clean`;
      return (await fetch(path, { method: 'PUT', headers: OWN_PAGE })).status;
    };
    expect(await clean(await start())).toBe(405);
    expect((await engine.counts()).waiting).toBe(1);
    expect(await clean(await start({ allowChanges: true }))).toBe(204);
    expect((await engine.counts()).waiting).toBe(0);
  });

  describe('files', () => {
    const CSV = `Branch,Firm,Email
Branch 1,Acme Ltd,info@acme.example
Branch 2,Harbour & Sons,post@harbour.example
Branch 3,x,
Branch 4,Acme Ltd,info@acme.example
`;

    async function startWithFiles(options: Partial<DashboardOptions> = {}): Promise<Dashboard> {
      const actions = createFileActions({ engine, work: loadConfig({}).work, allowance: async () => null });
      return start({ files: { actions }, ...options });
    }

    const upload = ({ url }: Dashboard, body: string | Buffer | ReadableStream, name = 'accounts.csv') =>
      fetch(`${url}/files?name=${encodeURIComponent(name)}`, { method: 'POST', headers: OWN_PAGE, body, ...HALF });

    async function fileUrl(dashboard: Dashboard, csv = CSV): Promise<string> {
      const { url } = (await (await upload(dashboard, csv)).json()) as { url: string };
      return dashboard.url + url;
    }

    const parts = async (file: string) =>
      ((await (await fetch(`${file}/parts`)).json()) as { parts: Record<string, string> }).parts;

    const until = (file: string, part: string, text: string) =>
      waitFor(async () => (await parts(file))[part]?.includes(text), { what: `${text} in ${part}` });

    const submit = (url: string, form: Record<string, string> = {}) =>
      fetch(url, { method: 'POST', headers: OWN_PAGE, body: new URLSearchParams(form), redirect: 'manual' });

    /** Asks to queue as the page in `page` does, with all that its form carries. */
    const enqueueFrom = (file: string, page: string) => {
      const form = /<form method="post" action="[^"]*\/enqueue">[\s\S]*?<\/form>/.exec(page)?.[0] ?? '';
      const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
      return submit(`${file}/enqueue`, Object.fromEntries(hidden.map(([, name, value]) => [name, value])));
    };

    /** The page with the question before sending. */
    const asking = async (file: string) => (await fetch(`${file}?ask=send&take=all`)).text();

    const namesQueued = async () => {
      const queue = engine.openQueue();
      const jobs = await queue.getJobs(['waiting', 'prioritized']);
      await queue.close();
      return jobs.map(({ data }) => data.name).sort();
    };

    const remembered = async () => (await engine.store.document<readonly unknown[]>('mappings').read()).value;

    test('shows the columns found, the first rows and the plan, and queues nothing by itself', async () => {
      const file = await fileUrl(await startWithFiles());
      const page = await (await fetch(file)).text();
      expect(page).toMatch(/<option value="Firm" selected>/);
      expect(page).toMatch(/<option value="Email" selected>/);
      expect(page).toContain('Harbour &amp; Sons');
      expect(page).toContain('the name is shorter than 3 characters');
      await until(file, 'stage', '2 new rows: uses 2 enrichments');
      const { details = '' } = await parts(file);
      expect(figure(details, 'New rows')).toBe('2');
      expect(figure(details, 'Repeated in the file')).toBe('1');
      expect(details).toContain('NO_USABLE_FIELD 1');
      expect((await engine.counts()).waiting).toBe(0);
    });

    test('takes a corrected mapping, queues the rows once, counts them and gives export and rejects', async () => {
      const dashboard = await startWithFiles();
      const file = await fileUrl(dashboard);
      expect((await submit(`${file}/columns`, { name: 'Branch' })).status).toBe(303);
      await until(file, 'stage', '4 new rows');
      await submit(`${file}/columns`, { name: 'Firm', email: 'Email' });
      await until(file, 'stage', '2 new rows');
      const page = await asking(file);
      expect((await enqueueFrom(file, page)).status).toBe(303);
      expect((await enqueueFrom(file, page)).status).toBe(303);
      await until(file, 'stage', '2 rows queued.');
      expect((await engine.counts()).waiting).toBe(2);
      await waitFor(async () => figure((await parts(file)).outcomes ?? '', 'Waiting') === '3');
      const exported = await fetch(`${file}/export`);
      expect(exported.headers.get('content-disposition')).toContain("filename*=UTF-8''accounts.zia.csv");
      expect((await exported.text()).split('\n')[1]).toMatch(/^Branch 1,Acme Ltd,info@acme.example,waiting,/);
      expect(await (await fetch(`${file}/rejects`)).text()).toMatch(/Branch 3,x,,4,NO_USABLE_FIELD,/);
      expect(await pageOf(dashboard)).toContain('accounts.csv</a>');
    });

    test('queues by the columns on the page, whatever is remembered meanwhile for the same header row', async () => {
      const file = await fileUrl(await startWithFiles());
      await until(file, 'stage', '2 new rows');
      const page = await asking(file);
      await resolveColumns({ headers: ['Branch', 'Firm', 'Email'] }, ['name=Branch', 'email='], engine.store);
      expect((await enqueueFrom(file, page)).status).toBe(303);
      await until(file, 'stage', '2 rows queued.');
      expect(await namesQueued()).toEqual(['Acme Ltd', 'Harbour & Sons']);
      const exported = await (await fetch(`${file}/export`)).text();
      expect(exported.split('\n')[1]).toMatch(/^Branch 1,Acme Ltd,info@acme.example,waiting,/);
    });

    test('queues nothing by other columns than those on the page, and shows the page anew', async () => {
      const file = await fileUrl(await startWithFiles());
      await until(file, 'stage', '2 new rows');
      const seen = await asking(file);
      await submit(`${file}/columns`, { name: 'Branch' });
      await until(file, 'stage', '4 new rows');
      const answer = await enqueueFrom(file, seen);
      expect(answer.status).toBe(409);
      const page = await answer.text();
      expect(page).toContain('nothing was queued');
      expect(page).toMatch(/<option value="Branch" selected>/);
      expect(await namesQueued()).toEqual([]);
      expect((await submit(`${file}/enqueue`)).status).toBe(409);
      expect((await enqueueFrom(file, await asking(file))).status).toBe(303);
      await until(file, 'stage', '4 rows queued.');
    });

    test('gives the rejects before anything is queued, also when nothing could be', async () => {
      const dashboard = await startWithFiles();
      const file = await fileUrl(dashboard, 'Company\nx\n');
      await until(file, 'details', `${new URL(file).pathname}/rejects`);
      expect((await parts(file)).details).not.toContain('<button');
      const answer = await fetch(`${file}/rejects`);
      expect(answer.headers.get('content-disposition')).toContain("filename*=UTF-8''accounts.rejects.csv");
      expect(await answer.text()).toBe(
        'Company,zia_line,zia_error_code,zia_error\nx,2,NO_USABLE_FIELD,No usable field: the name is shorter than 3 characters.\n',
      );
      const flawless = await fileUrl(dashboard, 'Company\nAcme Ltd\n');
      await until(flawless, 'stage', '1 new row');
      expect((await parts(flawless)).details).not.toContain('/rejects');
      expect((await fetch(`${flawless}/rejects`)).status).toBe(404);
    });

    test('asks before it queues with the columns and the number of rows', async () => {
      const file = await fileUrl(await startWithFiles());
      await until(file, 'stage', '2 new rows');
      const dialog = /<dialog[\s\S]*<\/dialog>/.exec(await asking(file))?.[0] ?? '';
      expect(dialog).toContain('Company name from <b>Firm</b>, Email from <b>Email</b>');
      expect(dialog).toContain('2 rows');
    });

    test('remembers columns that rows were queued by, not those that were tried', async () => {
      const file = await fileUrl(await startWithFiles());
      await submit(`${file}/columns`, { name: 'Branch' });
      await until(file, 'stage', '4 new rows');
      await until(file, 'outcomes', 'Not queued');
      await (await fetch(`${file}/export`)).text();
      expect(await remembered()).toBeNull();
      await enqueueFrom(file, await asking(file));
      await until(file, 'stage', '4 rows queued.');
      expect(await remembered()).toMatchObject([{ overrides: { name: 'Branch', email: null } }]);
    });

    test('asks for columns when none can be used', async () => {
      const file = await fileUrl(await startWithFiles(), 'Alpha,Beta\nAcme Ltd,1\n');
      expect(await (await fetch(file)).text()).toMatch(/role="alert">[^<]*Alpha/);
      expect((await enqueueFrom(file, await asking(file))).status).toBe(303);
      expect((await parts(file)).stage).toContain('Choose at least one');
      await submit(`${file}/columns`, { name: 'Alpha' });
      await until(file, 'stage', '1 new row');
    });

    test.each([
      ['an empty file', ''],
      ['a workbook', 'PK\u0003\u0004 and so on'],
      ['a header alone', 'Company\n'],
    ])('refuses %s with the sentence of the command, and keeps nothing', async (_name, content) => {
      const answer = await upload(await startWithFiles(), content, '../../etc/pass wd.csv');
      expect(answer.status).toBe(422);
      const { message } = (await answer.json()) as { message: string };
      expect(message).toMatch(/\.$/);
      expect(message).not.toContain(tmpdir());
      expect(await uploadedFiles()).toEqual([]);
    });

    test('refuses more than it may take, whether or not the size is told', async () => {
      const dashboard = await startWithFiles({ maxUploadBytes: 1_000_000 });
      const large = Buffer.alloc(1_200_000, 'Acme Ltd\n');
      const told = await upload(dashboard, large);
      const untold = await upload(dashboard, new Blob([large]).stream());
      for (const answer of [told, untold]) {
        expect(answer.status).toBe(413);
        expect(await answer.text()).toContain('ZIA_DASHBOARD_MAX_UPLOAD_MB');
      }
      expect(await uploadedFiles()).toEqual([]);
    });

    test('keeps uploads from other users of the machine, and removes them at its end', async () => {
      const dashboard = await startWithFiles();
      await fileUrl(dashboard);
      const [path = ''] = await uploadedFiles();
      for (const part of [path, dirname(path), dirname(dirname(path))]) expect((await stat(part)).mode & 0o077).toBe(0);
      await dashboard.close();
      expect(existsSync(dirname(dirname(path)))).toBe(false);
    });
  });
});

/** fetch streams a body only when told that it need not wait for its end. */
const HALF = { duplex: 'half' } as object;

async function submitted({ store }: Engine, key: IdentityKey, id: string): Promise<void> {
  const limits = { callsPerSecond: 0, maxInFlight: 9, permitTtlMs: 60_000 };
  await store.admit({ key, callId: `call-${id}`, sent: { module: 'Accounts' }, limits, claimLostAfterMs: 60_000 });
  await store.settle(key, `call-${id}`, id as EnrichmentId);
}

interface Update {
  readonly parts: Readonly<Record<string, string>>;
}
