import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Hono } from 'hono';
import { createFileActions, type FileActions } from '../../src/dashboard/file-actions.js';
import { createHttpServer } from '../../src/dashboard/http-server.js';
import { folderPrefix } from '../../src/dashboard/scratch-folder.js';
import { type Dashboard, startDashboard } from '../../src/dashboard/server.js';
import { createUploadStore, fileNameOf } from '../../src/dashboard/upload-store.js';
import { loadConfig } from '../../src/lib/config.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import { StoreUnavailableError } from '../../src/lib/errors.js';
import { openTestEngine, quietLog } from '../support/engines.js';
import { setup, type TestScope } from '../support/setup.js';
import { uploadedFiles } from '../support/uploaded-files.js';
import { waitFor } from '../support/wait.js';

const OWN_PAGE = { 'sec-fetch-site': 'same-origin' };

describe('uploads', () => {
  let t: TestScope;
  let engine: Engine;
  let logged: string[];
  beforeEach(async () => {
    t = setup();
    logged = [];
    ({ engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close()));
  });
  afterEach(() => t.close());

  async function start(changes: Partial<FileActions> = {}): Promise<Dashboard> {
    const made = createFileActions({ engine, work: loadConfig({}).work, allowance: async () => null });
    const actions = { ...made, ...changes };
    const log = { ...quietLog, error: (event: string) => void logged.push(event) };
    const dashboard = await startDashboard({
      host: '127.0.0.1',
      port: 0,
      engine,
      log,
      files: { actions },
    });
    return t.closing(dashboard, (opened) => opened.close());
  }

  async function upload({ url }: Dashboard, name: string, body = 'Company\nAcme Ltd\nx\n'): Promise<string> {
    const to = `${url}/files?name=${encodeURIComponent(name)}`;
    const answer = await fetch(to, { method: 'POST', headers: OWN_PAGE, body });
    expect(answer.status).toBe(201);
    return url + ((await answer.json()) as { url: string }).url;
  }

  /** The beginning of an upload of `length` bytes, of which only `sent` come. */
  async function begin({ url }: Dashboard, length: number, sent: number) {
    const { port, host } = new URL(url);
    const socket = t.closing(connect(Number(port), '127.0.0.1'), (opened) => opened.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(
      `POST /files?name=a.csv HTTP/1.1\r\nHost: ${host}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: ${length}\r\n\r\n`,
    );
    socket.write('Company\n'.padEnd(sent, 'Acme Ltd\n'));
    return socket;
  }

  test('may be called anything, and have a name of ours on disk', async () => {
    const dashboard = await start();
    for (const name of [`${'公'.repeat(120)}.csv`, `${'𠮷'.repeat(120)}.csv`]) {
      const file = await upload(dashboard, name);
      expect(await (await fetch(file)).text()).toContain(`<h1>${fileNameOf(name)}</h1>`);
      for (const part of ['zia', 'rejects']) {
        const answer = await fetch(`${file}/${part === 'zia' ? 'export' : part}`);
        expect(answer.status).toBe(200);
        const expected = encodeURIComponent(fileNameOf(name).replace('.csv', `.${part}.csv`));
        expect(answer.headers.get('content-disposition')).toContain(expected);
      }
    }
  });

  test('are written while they come, and leave nothing when they end too early', async () => {
    const dashboard = await start();
    const socket = await begin(dashboard, 50_000_000, 1_000_000);
    const path = await waitFor(async () => (await uploadedFiles())[0], { what: 'the file' });
    await waitFor(async () => (await stat(path)).size > 500_000, { what: 'the first bytes' });
    socket.destroy();
    await waitFor(async () => (await uploadedFiles()).length === 0, { what: 'the file to go' });
    expect(await (await fetch(`${dashboard.url}/healthz`)).text()).toBe('ok\n');
    expect(logged).toEqual([]);
  });

  test('leave nothing when they are refused', async () => {
    const dashboard = await start();
    const to = `${dashboard.url}/files?name=a.csv`;
    const answer = await fetch(to, { method: 'POST', headers: OWN_PAGE, body: 'Company\n' });
    expect(answer.status).toBe(422);
    expect(await uploadedFiles()).toEqual([]);
  });

  test('may take long but not stand still', async () => {
    const app = new Hono();
    app.post('/', async (c) => c.text(String((await c.req.text()).length)));
    const server = await createHttpServer(app, 600);
    t.closing(server, (opened) => opened.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect(server.requestTimeout).toBe(0);
    const { port } = server.address() as AddressInfo; // of a TCP server that listens
    const exchange = async (bytes: number) => {
      const socket = connect(port, '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('error', () => undefined);
      socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 8\r\n\r\n');
      for (let at = 0; at < bytes; at += 1) {
        socket.write('x');
        await waitAWhile(100);
      }
      if (!socket.closed) await once(socket, 'close');
      return answer;
    };
    expect(await exchange(8)).toMatch(/^HTTP\/1.1 200 [\s\S]*8$/);
    expect(await exchange(3)).toBe('');
  });

  test('that break the program are told so, not that they are no requests', async () => {
    const broken = { fetch: () => Promise.reject(new Error('broken')) } as unknown as Hono; // all that is used of it
    const server = await createHttpServer(broken);
    t.closing(server, (opened) => opened.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // of a TCP server that listens
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    expect([answer.status, answer.headers.get('x-frame-options')]).toEqual([500, 'DENY']);
  });

  test('of dashboards that were killed are removed, those of others are not', async () => {
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
    const folder = async (name: string) => {
      const path = t.closing(join(tmpdir(), name), (made) => rm(made, { recursive: true, force: true }));
      await mkdir(path);
      await writeFile(join(path, 'upload.csv'), 'Company\n');
      return path;
    };
    const dead = await folder(`zia-dashboard-${host}-4999999-01234567-dead`);
    const reused = await folder(`zia-dashboard-${host}-${process.pid}-01234567-reused`);
    const alive = await folder(`${folderPrefix(process.ppid)}alive`);
    const elsewhere = await folder('zia-dashboard-00000000-4999999-01234567-elsewhere');
    const others = await folder(`zia-dashboard-${host}-4999999-01234567-others`);
    // Only root can give a folder away, and only root could remove another's.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await chown(others, 65_534, 65_534);
    const store = createUploadStore({ maxBytes: 1_000 });
    await store.close();
    expect([dead, reused, alive, elsewhere].map((path) => existsSync(path))).toEqual([false, false, true, true]);
    expect(existsSync(others)).toBe(isRoot);
  });

  test('whose export fails leave no part of it, and say whose fault it is', async () => {
    const failing = (error: Error): Partial<FileActions> => ({
      exportTo: async (_file, out) => {
        await writeFile(out, 'half of it');
        throw error;
      },
    });
    const away = await upload(await start(failing(new StoreUnavailableError('Redis is away.'))), 'a.csv');
    const broken = await upload(await start(failing(new TypeError('x is not a function'))), 'a.csv');
    const answers = await Promise.all([away, broken].map((file) => fetch(`${file}/export`)));
    expect(answers.map(({ status }) => status)).toEqual([503, 500]);
    const [ofAway, ofBroken] = await Promise.all(answers.map((answer) => answer.text()));
    expect(ofAway).toContain('queue cannot be read');
    expect(ofBroken).toBe('That did not work; the log of the dashboard says why.\n');
    expect(logged).toEqual(['dashboard.request-failed', 'dashboard.request-failed']);
    expect((await uploadedFiles()).filter((path) => !path.endsWith('upload.csv'))).toEqual([]);
  });

  test('whose export nobody waits for any more end it', async () => {
    let ended = false;
    const file = await upload(
      await start({
        exportTo: async (_file, _out, signal) => {
          await once(signal, 'abort');
          ended = true;
          signal.throwIfAborted();
        },
      }),
      'a.csv',
    );
    const leaving = new AbortController();
    const asked = fetch(`${file}/export`, { signal: leaving.signal }).catch(() => null);
    await waitAWhile(100);
    leaving.abort();
    await asked;
    await waitFor(() => ended, { what: 'the end of the export' });
    expect(logged).toEqual([]);
  });
});

test.each([
  ['as they are', '公'.repeat(100), '公'.repeat(100)],
  ['short, with their extension', `${'公'.repeat(150)}.csv`, `${'公'.repeat(96)}.csv`],
  ['whole characters', `${'𠮷'.repeat(150)}.tsv`, `${'𠮷'.repeat(96)}.tsv`],
  ['without half a character', 'a\uD800b.csv', 'a_b.csv'],
  ['whole characters to the last', `${'a'.repeat(99)}𠮷𠮷`, `${'a'.repeat(99)}𠮷`],
  ['without folders', '../../etc/pass"wd', 'pass_wd'],
  ['without drives', 'C:\\files\\a.csv', 'a.csv'],
  ['something', '..', 'upload.csv'],
  ['short, with a short extension', `x.${'y'.repeat(300)}`, `x.${'y'.repeat(88)}.${'y'.repeat(9)}`],
])('names of uploads are kept: %s', (_how, given, expected) => {
  expect(fileNameOf(given)).toBe(expected);
  expect(() => encodeURIComponent(fileNameOf(given))).not.toThrow();
});

/** Only for what must not happen, or must happen slowly. */
const waitAWhile = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
