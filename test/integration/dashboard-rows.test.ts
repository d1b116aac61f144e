import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UnrecoverableError } from 'bullmq';
import { createFileActions } from '../../src/dashboard/file-actions.js';
import { type Dashboard, type DashboardOptions, startDashboard } from '../../src/dashboard/server.js';
import { loadConfig } from '../../src/lib/config.js';
import { identityKey } from '../../src/lib/core/identity.js';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { type EnrichQueue, jobOptions } from '../../src/lib/queues.js';
import { notedFiles } from '../../src/lib/store/files.js';
import { setBudget } from '../../src/lib/store/set-budget.js';
import { enqueueFile } from '../../src/producers/enqueue-file.js';
import { ENGINES_IN_TURN, openTestEngine, quietLog } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';
import { waitFor } from '../support/wait.js';

const OWN_PAGE = { 'sec-fetch-site': 'same-origin' };
const CSV = `Company,Website
Acme Ltd,www.acme.example
Harbour & Sons,harbour.example
Northwind,northwind.example
x,
Acme Ltd,www.acme.example
Bluestone <b>Textiles</b>,bluestone.example
`;
const COLUMNS = { module: 'Accounts' };

describe.each(ENGINES_IN_TURN)('rows and files of the dashboard on the %s engine', (kind) => {
  let t: TestScope;
  let engine: Engine;
  let queue: EnrichQueue;
  let folder: string;
  beforeEach(async () => {
    t = setup();
    engine = t.closing(await openTestEngine(kind), (opened) => opened.close()).engine;
    queue = t.closing(engine.openQueue(), (opened) => opened.close());
    folder = t.closing(await mkdtemp(join(tmpdir(), 'zia-rows-')), (made) =>
      rm(made, { recursive: true, force: true }),
    );
  });
  afterEach(() => t.close());

  const keepDir = () => join(folder, 'kept');

  async function start(options: Partial<DashboardOptions> = {}): Promise<Dashboard> {
    const actions = createFileActions({ engine, work: loadConfig({}).work, allowance: async () => null });
    const dashboard = await startDashboard({
      host: '127.0.0.1',
      port: 0,
      engine,
      log: quietLog,
      files: { actions, keepDir: keepDir() },
      ...options,
    });
    return t.closing(dashboard, (opened) => opened.close());
  }

  async function upload({ url }: Dashboard, csv = CSV, name = 'accounts.csv'): Promise<string> {
    const to = `${url}/files?name=${encodeURIComponent(name)}`;
    const answer = await fetch(to, { method: 'POST', headers: OWN_PAGE, body: csv });
    return ((await answer.json()) as { url: string }).url;
  }

  const text = async (url: string) => (await fetch(url)).text();
  const post = (url: string, form: Record<string, string> = {}) =>
    fetch(url, { method: 'POST', headers: OWN_PAGE, body: new URLSearchParams(form), redirect: 'manual' });
  const part = async (file: string, name: string) =>
    ((await (await fetch(`${file}/parts`)).json()) as { parts: Record<string, string> }).parts[name] ?? '';
  const until = (file: string, name: string, words: string) =>
    waitFor(async () => (await part(file, name)).includes(words), { what: `${words} in ${name}` });

  /** Queues the file as its page does. */
  async function send(file: string, limit = ''): Promise<Response> {
    await until(file, 'stage', 'new rows');
    return post(`${file}/enqueue`, { mapping: 'name=0,website=1', limit });
  }

  const keyOf = (name: string, website: string) => identityKey({ ...COLUMNS, name, website });
  const ACME = keyOf('Acme Ltd', 'www.acme.example');
  const HARBOUR = keyOf('Harbour & Sons', 'harbour.example');
  const NORTHWIND = keyOf('Northwind', 'northwind.example');
  const limits = { callsPerSecond: 0, maxInFlight: 9, permitTtlMs: 60_000 };

  async function claim(key: IdentityKey, name: string, website?: string): Promise<void> {
    const sent = { ...COLUMNS, name, ...(website === undefined ? {} : { website }) };
    await engine.store.admit({ key, callId: `c-${key}`, sent, limits, claimLostAfterMs: 60_000 });
  }

  async function enrich(key: IdentityKey, name: string, id: string, data: object | null): Promise<void> {
    await claim(key, name);
    await engine.store.settle(key, `c-${key}`, id as EnrichmentId);
    await engine.store.finish(key, data === null ? 'DATA_NOT_FOUND' : 'COMPLETED', data as Record<string, unknown>);
  }

  /** The companies in the first table of a page, in order. */
  const companies = (page: string) =>
    [...page.matchAll(/<th scope="row"><a href="[^"]*">([^<]*)<\/a>/g)].map(([, name]) => name);

  test('a file’s rows can be filtered, searched and opened, escaped as they are', async () => {
    const dashboard = await start();
    const file = dashboard.url + (await upload(dashboard));
    expect((await send(file)).status).toBe(303);
    await until(file, 'stage', '4 rows queued.');
    await enrich(ACME, 'Acme Ltd', '11', { name: 'Acme', revenue: '$1B' });
    await enrich(HARBOUR, 'Harbour & Sons', '12', null);
    await until(file, 'outcomes', '3 of 6 rows sent');
    const rows = `${file}/rows`;
    // The page may have read the second row after it was accepted and before its end was noted.
    await waitFor(async () => companies(await text(`${rows}?status=not_found`)).length === 1, { what: 'the end' });
    expect(companies(await text(rows))).toEqual([
      'Acme Ltd',
      'Harbour &amp; Sons',
      'Northwind',
      'x',
      'Acme Ltd',
      'Bluestone &lt;b&gt;Textiles&lt;/b&gt;',
    ]);
    expect(companies(await text(`${rows}?status=enriched`))).toEqual(['Acme Ltd', 'Acme Ltd']);
    expect(companies(await text(`${rows}?status=not_found`))).toEqual(['Harbour &amp; Sons']);
    expect(companies(await text(`${rows}?code=NO_USABLE_FIELD`))).toEqual(['x']);
    expect(companies(await text(`${rows}?search=HARBOUR`))).toEqual(['Harbour &amp; Sons']);
    expect(companies(await text(`${rows}?search=northwind.ex`))).toEqual(['Northwind']);
    expect(companies(await text(`${rows}?without=zia_phone`))).toEqual(['Acme Ltd', 'Acme Ltd']);
    expect(companies(await text(`${rows}?without=zia_revenue`))).toEqual([]);
    expect(await text(`${rows}?search=%3Cscript%3E`)).not.toContain('<script>');
    const acme = await text(`${rows}/2`);
    for (const words of [
      '<h1>Acme Ltd</h1>',
      '$1B',
      '<dd>11</dd>',
      'Accepted by Zoho',
      'Result received',
      'www.acme.example',
    ]) {
      expect([words, acme.includes(words)]).toEqual([words, words !== 'www.acme.example']);
    }
    expect(await text(`${rows}/5`)).toContain('NO_USABLE_FIELD');
    expect((await fetch(`${rows}/99`)).status).toBe(404);
    expect(await part(file, 'bought')).toContain('2 enrichments used, 1 company with data (50%)');
    expect(await part(file, 'bought')).toMatch(/revenue<\/th>[\s\S]*?<td>1 \(100%\)<\/td>/);
  });

  test('pages hold fifty rows, and lead to the others', async () => {
    const dashboard = await start();
    const lines = Array.from({ length: 120 }, (_, at) => `Company ${at},c${at}.example`);
    const file = dashboard.url + (await upload(dashboard, `Company,Website\n${lines.join('\n')}\n`));
    await until(file, 'outcomes', '120');
    const third = await text(`${file}/rows?page=3`);
    expect(companies(third)).toEqual(Array.from({ length: 20 }, (_, at) => `Company ${100 + at}`));
    expect(third).toContain('Page 3 of 3');
    expect(third).toContain(`/rows?page=2">Previous</a>`);
  });

  test('the first rows alone are sent, then the rest', async () => {
    const dashboard = await start();
    const file = dashboard.url + (await upload(dashboard));
    await send(file, '1');
    await until(file, 'stage', '1 row queued.');
    await until(file, 'details', 'Send the rest');
    expect((await engine.counts()).waiting).toBe(1);
    await send(file);
    await until(file, 'stage', '3 rows queued.');
    expect((await engine.counts()).waiting).toBe(4);
    expect((await post(`${file}/enqueue`, { mapping: 'name=0,website=1', limit: '-1' })).status).toBe(400);
  });

  test('waiting rows are taken out of the queue, and can be sent again', async () => {
    const dashboard = await start();
    const file = dashboard.url + (await upload(dashboard));
    await send(file);
    await until(file, 'stage', '4 rows queued.');
    await until(file, 'outcomes', 'Take waiting rows out of the queue (5)');
    const cancelled = await post(`${file}/cancel`);
    expect([cancelled.status, cancelled.headers.get('location')?.split('?')[1]]).toEqual([303, 'cancelled=4']);
    expect((await engine.counts()).waiting).toBe(0);
    expect(await text(`${file}?cancelled=4`)).toContain('4 rows taken out of the queue.');
    await send(file);
    await until(file, 'stage', '4 rows queued.');
  });

  test('rows are forgotten after a question, and can be sent again', async () => {
    const dashboard = await start();
    const file = dashboard.url + (await upload(dashboard));
    await send(file);
    await until(file, 'stage', '4 rows queued.');
    expect(await text(file)).toContain('cost an enrichment again');
    const forgotten = await post(`${file}/forget`);
    expect([forgotten.status, forgotten.headers.get('location')?.split('?')[1]]).toEqual([303, 'forgotten=4']);
    expect((await engine.counts()).waiting).toBe(0);
    expect(await text(`${file}?forgotten=4&left=1`)).toContain('4 rows forgotten. 1 row left');
    await send(file);
    await until(file, 'stage', '4 rows queued.');
  });

  test('the question before sending names what is used, of what is left, and the org, without a script too', async () => {
    const allowance = { total: 500, used: 202, left: 298, source: 'zoho' } as const;
    await engine.store.document('allowance').change((_, atMs) => ({ atMs, allowance }));
    const account = { dataCenter: 'EU', isSandbox: false, org: () => 'Acme <Holding>' };
    const dashboard = await start({ account });
    const file = dashboard.url + (await upload(dashboard));
    await until(file, 'stage', 'new rows');
    expect(await text(file)).not.toContain('<dialog');
    const page = await text(`${file}?ask=send&take=first&rows=2`);
    const dialog = /<dialog[^>]* open>[\s\S]*<\/dialog>/.exec(page)?.[0] ?? '';
    expect(dialog).toContain('<b>2 enrichments</b> of 298 left');
    expect(dialog).toContain('Acme &lt;Holding&gt; (EU, live), module Accounts');
    expect(dialog).toContain('Company name from <b>Company</b>, Website from <b>Website</b>');
    expect(dialog).toContain('<input type="hidden" name="limit" value="2" />');
    expect(page).toMatch(/LIVE<\/b>/);
    expect(page).not.toContain('SANDBOX');
  });

  test('the question before sending names the budget beside the allowance, and warns when either ends before the rows', async () => {
    const allowance = { total: 500, used: 497, left: 3, source: 'zoho' } as const;
    await engine.store.document('allowance').change((_, atMs) => ({ atMs, allowance }));
    await setBudget(engine.store, 2);
    const dashboard = await start();
    const file = dashboard.url + (await upload(dashboard));
    await until(file, 'stage', 'new rows');
    const dialogFor = async (rows: number) =>
      /<dialog[^>]* open>[\s\S]*<\/dialog>/.exec(await text(`${file}?ask=send&take=first&rows=${rows}`))?.[0] ?? '';
    const ENDS = 'Only 2 are left: sending stops by itself when they are used up, and no row is lost.';
    const fits = await dialogFor(2);
    expect(fits).toContain('<b>2 enrichments</b> of 3 left, and of a budget of 2</dd>');
    expect(fits).not.toContain(ENDS);
    expect(await dialogFor(3)).toContain(ENDS);
    await setBudget(engine.store, null);
    await waitFor(async () => !(await dialogFor(3)).includes('budget'), { what: 'the budget to go' });
    expect(await dialogFor(3)).not.toContain('Only');
    expect(await dialogFor(4)).toContain('Only 3 are left');
  });

  test('of columns with one name each can be chosen, and is the one in use after a restart, too', async () => {
    const csv = 'Company,Website,Website\nAcme Ltd,acme.example,acme-group.example\n';
    const first = await start();
    const path = await upload(first, csv);
    const page = await text(first.url + path);
    expect(page).toContain('<option value="Website" selected>Website</option>');
    expect(page).toContain('<option value="#3" >Website (column 3)</option>');
    await post(`${first.url + path}/columns`, { name: 'Company', website: '#3' });
    const second = '<option value="#3" selected>Website (column 3)</option>';
    expect(await text(first.url + path)).toContain(second);
    await until(first.url + path, 'stage', 'new row');
    await post(`${first.url + path}/enqueue`, { mapping: 'name=0,website=2' });
    await until(first.url + path, 'stage', '1 row queued.');
    expect(await queue.getJob(keyOf('Acme Ltd', 'acme-group.example'))).toBeDefined();
    await first.close();
    const next = await start();
    expect(await text(next.url + path)).toContain(second);
  });

  test('values that were kept with --keep are not struck through in files with that header row', async () => {
    const row = 'Acme Ltd,www.linkedin.com/company/acme';
    const own = join(folder, 'kept.csv');
    await writeFile(own, `Company,Website\n${row}\n`);
    const queued = { path: own, mapFlags: [], engine, queue, module: 'Accounts', maxAttempts: 5 };
    const dashboard = await start();
    const struck = async (csv: string) => (await text(dashboard.url + (await upload(dashboard, csv)))).includes('<s>');
    expect(await struck(`Company,Website\n${row}\nNorthwind,\n`)).toBe(true);
    await enqueueFile({ ...queued, csv: { keep: ['shared-hosts'] } });
    expect(await struck(`Company,Website\n${row}\nHarbour & Sons,\n`)).toBe(false);
  });

  test('files are listed after a restart, with their rows, and those of commands too', async () => {
    const first = await start();
    const path = await upload(first);
    const file = first.url + path;
    await send(file);
    await until(file, 'stage', '4 rows queued.');
    await until(file, 'outcomes', 'different ones');
    const own = join(folder, 'leads.csv');
    await writeFile(own, 'Firm\nHillside Bakery\n');
    const report = await enqueueFile({
      path: own,
      mapFlags: ['name=Firm'],
      engine,
      queue,
      module: 'Accounts',
      maxAttempts: 5,
    });
    expect(report.enqueued).toBe(1);
    await first.close();
    expect((await stat(keepDir())).mode & 0o077).toBe(0);
    expect(await readdir(keepDir())).toHaveLength(1);

    const second = await start();
    const list = await text(`${second.url}/files`);
    expect([...list.matchAll(/<th scope="row"><a href="\/files\/[\w-]+">([^<]*)</g)].map(([, name]) => name)).toEqual([
      'leads.csv',
      'accounts.csv',
    ]);
    expect(list).toContain('by command');
    await waitFor(async () => companies(await text(`${second.url}${path}/rows?search=acme`)).length === 2);
    const [{ id = '' } = {}] = await notedFiles(engine.store);
    await waitFor(async () => companies(await text(`${second.url}/files/${id}/rows`))[0] === 'Hillside Bakery');
    // A file that was changed is another one.
    await second.close();
    await writeFile(own, 'Firm\nHillside Brewery\n');
    const third = await start();
    const missing = await text(`${third.url}/files/${id}`);
    expect(missing).toContain('add it again to see its rows');
    expect(missing).not.toContain('Brewery');
    expect((await post(`${third.url}/files/${id}/drop`)).status).toBe(303);
    expect((await fetch(`${third.url}/files/${id}`)).status).toBe(404);
  });

  test('the name of the settings in use is on every page and in the tab', async () => {
    const dashboard = await start({ profile: 'acme' });
    for (const [path, title] of [
      ['/', 'Overview'],
      ['/files', 'Files'],
      ['/rows', 'All rows'],
    ] as const) {
      const page = await text(dashboard.url + path);
      expect(page).toContain(`<title>Nothing yet · ${title} · acme · zia-bulk-enrich</title>`);
      expect(page).toContain('<small>acme</small>');
    }
  });

  test('the same file is one entry, under whatever name it comes', async () => {
    const dashboard = await start();
    const first = await upload(dashboard, CSV, 'a.csv');
    expect(await upload(dashboard, CSV, 'b.csv')).toBe(first);
    const list = await text(`${dashboard.url}/files`);
    expect([list.includes('a.csv'), list.includes('b.csv')]).toEqual([false, true]);
  });

  test('all rows are listed by what became of them, and found by what was sent', async () => {
    const dashboard = await start();
    await enrich(ACME, 'Acme Ltd', '11', { name: 'Acme' });
    await enrich(HARBOUR, 'Harbour & Sons', '12', null);
    await queue.add('enrich', { v: 1, ...COLUMNS, name: 'Northwind', line: 4 }, jobOptions(NORTHWIND, 5));
    const list = async (query: string) => companies(await text(`${dashboard.url}/rows?${query}`));
    expect(await list('')).toEqual(['Acme Ltd']);
    expect(await list('filter=notfound')).toEqual(['Harbour &amp; Sons']);
    expect(await list('filter=waiting')).toEqual(['Northwind']);
    expect(await list('filter=nonsense')).toEqual(['Acme Ltd']);
    expect(await list('search=harb')).toEqual(['Harbour &amp; Sons']);
    expect(await list('search=nobody')).toEqual([]);
    const page = await text(`${dashboard.url}/rows/${NORTHWIND}`);
    expect(page).toContain('<h1>Northwind</h1>');
    for (const path of ['r1nobodyhasthiskey00000', '..%2f..%2fetc', 'x'.repeat(300)]) {
      expect((await fetch(`${dashboard.url}/rows/${path}`)).status).toBe(404);
    }
  });

  test('a failed row is retried from its page, once', async () => {
    const dashboard = await start();
    await queue.add('enrich', { v: 1, ...COLUMNS, name: 'Acme Ltd' }, jobOptions(ACME, 5));
    const worker = engine.openWorker(
      () => {
        throw new UnrecoverableError('INVALID_DATA: Zoho does not accept this name.');
      },
      { autorun: true },
    );
    await waitFor(async () => (await engine.counts()).failed === 1);
    await worker.close();
    const row = `${dashboard.url}/rows/${ACME}`;
    expect(await text(row)).toContain('Retry (costs 1 enrichment)');
    expect((await post(`${row}/retry`)).status).toBe(303);
    expect(await engine.counts()).toMatchObject({ failed: 0, waiting: 1 });
    expect((await post(`${row}/retry`)).status).toBe(409);
  });

  test('a row that Zoho failed is paid for again from its page, which says so, once', async () => {
    const dashboard = await start();
    await claim(ACME, 'Acme Ltd', 'www.acme.example');
    await engine.store.settle(ACME, `c-${ACME}`, '11' as EnrichmentId);
    await engine.store.finish(ACME, 'FAILED', null);
    const row = `${dashboard.url}/rows/${ACME}`;
    expect(await text(row)).toContain('Send it again (costs 1 enrichment)');
    expect((await post(`${row}/retry`)).status).toBe(409);
    expect((await post(`${row}/retry`, { paid: 'yes' })).status).toBe(303);
    expect((await engine.counts()).waiting).toBe(1);
    expect((await post(`${row}/retry`, { paid: 'yes' })).status).toBe(409);
  });

  test('a row that was sent under other columns is shown with what was sent and found', async () => {
    await enrich(keyOf('Acme Ltd', 'www.acme.example'), 'Acme Ltd', '11', { name: 'Acme', revenue: '$1B' });
    const path = join(folder, 'a.csv');
    await writeFile(path, 'Company,Website,Email\nAcme Ltd,www.acme.example,info@acme.example\n');
    const dashboard = await start();
    const file = dashboard.url + (await upload(dashboard, await readFile(path, 'utf8')));
    await until(file, 'bought', '1 enrichment used, 1 company with data (100%)');
    expect(await text(`${file}/rows`)).toContain('Enriched');
    const page = await text(`${file}/rows/2`);
    expect(page).toContain('This row of the file was sent as another');
    expect(page).toContain('$1B');
  });

  const NO_HEADER =
    'Firm Nought AG;1;firm0.example\r\nFirm "One" AG;2;firm1.example\r\nFirm Two AG;3;firm2.example\r\n';
  test.each([
    ['UTF-8', NO_HEADER],
    ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(NO_HEADER, 'utf16le')])],
    ['UTF-16, big end first', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(NO_HEADER, 'utf16le').swap16()])],
  ])('a file without a header row is asked about, and gets one of ours, in %s', async (_encoding, bytes) => {
    const dashboard = await start();
    const answer = await fetch(`${dashboard.url}/files?name=a.csv`, { method: 'POST', headers: OWN_PAGE, body: bytes });
    const { url } = (await answer.json()) as { url: string };
    const page = await text(dashboard.url + url);
    expect(page).toContain('Is the first line your header row? It says <b>Firm Nought AG</b>, <b>1</b>');
    expect(page).toContain('Line 1 of a.csv does not look like a header');
    // The embedded engine says where it is; where an upload lies is nobody's business.
    expect(page.replaceAll(engine.description, '')).not.toContain(tmpdir());
    const named = await post(`${dashboard.url + url}/header`);
    expect(named.status).toBe(303);
    const file = dashboard.url + named.headers.get('location');
    await until(file, 'stage', '3 new rows');
    const columns = await text(file);
    expect(columns).toContain('<option value="Column 2" >Column 2</option>');
    expect(columns).not.toContain('header row?');
    expect(companies(await text(`${file}/rows`))).toEqual(['Firm Nought AG', 'Firm &quot;One&quot; AG', 'Firm Two AG']);
    // The file that it replaces is gone, and this one has a header row.
    expect((await fetch(dashboard.url + url)).status).toBe(404);
    expect((await post(`${file}/header`)).status).toBe(409);
    expect((await post(`${file}/drop`)).headers.get('location')).toBe('/files');
    expect((await fetch(file)).status).toBe(404);
  });

  test('columns that look swapped can be swapped, and are not sent without a tick', async () => {
    const dashboard = await start();
    const lines = [0, 1, 2, 3].map((at) => `Firm Number ${at},info@firm${at}.example,Town ${at}`);
    const file = dashboard.url + (await upload(dashboard, `Email,Website,Company\n${lines.join('\n')}\n`));
    await until(file, 'stage', '4 new rows');
    const page = await text(file);
    expect(page).toContain(
      '<b>Email</b> does not look like email addresses: 4 of 4 values cannot be sent. They look like company names.',
    );
    expect(page).toContain('<s>Firm Number 0</s> <small>not well formed: will not be sent</small>');
    // Two columns of names: which is meant, nobody can tell.
    expect(page).not.toContain('Swap: ');
    expect(await text(`${file}?ask=send&take=all`)).toContain('<input type="checkbox" required />');

    const two =
      dashboard.url + (await upload(dashboard, `Email,Company\n${lines.join('\n')}\n`.replaceAll(/,Town \d/g, '')));
    await until(two, 'details', 'NO_USABLE_FIELD 4');
    const swap = await text(two);
    expect(swap).toContain('an address, a formula or code: will not be sent');
    expect(swap).toContain('Swap: Company name from Email, Email from Company');
    await post(`${two}/columns`, { name: 'Email', email: 'Company' });
    await until(two, 'stage', '4 new rows');
    expect(await text(`${two}?ask=send&take=all`)).not.toContain('type="checkbox"');
  });

  test('rows that Zoho failed are paid for again only after a question that says so', async () => {
    const dashboard = await start();
    await claim(ACME, 'Acme Ltd', 'www.acme.example');
    await engine.store.settle(ACME, `c-${ACME}`, '11' as EnrichmentId);
    await engine.store.finish(ACME, 'FAILED', null);
    const page = await waitFor(async () => {
      const asked = await text(`${dashboard.url}/?ask=retry-paid`);
      return asked.includes('Send 1 row again?') && asked;
    });
    expect(page).toContain('Uses up to <b>1 enrichment</b>');
    expect((await post(`${dashboard.url}/problems/retry`, { code: 'ENRICHMENT_FAILED' })).headers.get('location')).toBe(
      '/?retried=0',
    );
    const paid = await post(`${dashboard.url}/problems/retry`, { code: 'ENRICHMENT_FAILED', paid: 'yes' });
    expect(paid.headers.get('location')).toBe('/?retried=1');
    expect((await engine.counts()).waiting).toBe(1);
  });

  test.each([
    ['there', 'scheduled'],
    ['again', 'cleared'],
  ])('a person decides on a held row: %s', async (answer, state) => {
    const dashboard = await start();
    await claim(ACME, 'Acme Ltd');
    await engine.store.markUncertain(ACME, `c-${ACME}`, 'ECONNRESET');
    await engine.store.hold(ACME, `c-${ACME}`, 'NOT_FOUND');
    await waitFor(async () => (await text(dashboard.url)).includes('Needs your decision <span class="count">1</span>'));
    const row = `${dashboard.url}/rows/${ACME}`;
    expect((await post(`${row}/decide`, { answer: 'perhaps' })).status).toBe(409);
    expect((await post(`${row}/decide`, { answer })).status).toBe(303);
    expect((await engine.store.entries([ACME])).get(ACME)?.state).toBe(state);
    expect((await post(`${row}/decide`, { answer })).status).toBe(409);
    const again = { key: ACME, callId: 'c-new', sent: COLUMNS, limits, claimLostAfterMs: 60_000 };
    expect((await engine.store.admit(again)).kind).toBe(answer === 'there' ? 'scheduled' : 'go');
  });

  test('the example is taken as a file, and a form without a script sends one', async () => {
    const dashboard = await start();
    const example = await post(`${dashboard.url}/files/example`);
    expect(example.status).toBe(303);
    expect(await text(dashboard.url + example.headers.get('location'))).toContain('<h1>example.csv</h1>');
    const form = new FormData();
    form.append('file', new Blob([CSV]), 'accounts.csv');
    const sent = await fetch(`${dashboard.url}/files/form`, {
      method: 'POST',
      headers: OWN_PAGE,
      body: form,
      redirect: 'manual',
    });
    expect(sent.status).toBe(303);
    expect(await text(dashboard.url + sent.headers.get('location'))).toContain('<h1>accounts.csv</h1>');
  });

  test('a header row of 60,000 columns is shown at once, two hundred of them, and a million are refused', async () => {
    const dashboard = await start();
    const wide = (columns: number) => `Company${','.repeat(columns - 1)}\nAcme Ltd\n`;
    const file = dashboard.url + (await upload(dashboard, wide(60_000)));
    const startedAtMs = performance.now();
    const page = await text(file);
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    expect(page.match(/<th scope="col"/g)?.length).toBeLessThan(250);
    expect(page).toContain('59,800 more columns are not shown.');
    const refused = await fetch(`${dashboard.url}/files?name=a.csv`, {
      method: 'POST',
      headers: OWN_PAGE,
      body: wide(1_000_000),
    });
    expect(refused.status).toBe(422);
    expect(((await refused.json()) as { message: string }).message).toMatch(/^a\.csv has 1,000,000 columns, more than/);
  });

  test('a pause is raised and lifted, and is no alarm', async () => {
    const dashboard = await start({ user: 'ops', password: 'secret' });
    const headers = { ...OWN_PAGE, authorization: `Basic ${Buffer.from('ops:secret').toString('base64')}` };
    const paused = await fetch(`${dashboard.url}/pause`, { method: 'POST', headers, redirect: 'manual' });
    expect(paused.status).toBe(303);
    const page = await (await fetch(dashboard.url, { headers })).text();
    expect(page).toMatch(/<div id="alarm" role="alert"><\/div>/);
    expect(page).toContain('<h2>Paused</h2>');
    expect(page).toContain('Paused by ops in the browser.');
    expect(page).toMatch(/<dt>User<\/dt><dd>ops <a href="\/logout">Log out<\/a>/);
    expect(page).toContain('<title>Paused · Overview · zia-bulk-enrich</title>');
    expect(page).toContain('/assets/icon-paused.svg');
    expect((await fetch(`${dashboard.url}/logout`, { headers })).status).toBe(401);
  });
});
