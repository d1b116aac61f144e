import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { type Scene, withScene } from '../../support/cli-scene.js';
import { waitFor } from '../../support/wait.js';

const QUIET = { completeAfterMs: 0, notFoundShare: 0, failedShare: 0 };
const SECRET_PATH = '/hooks/T0P-S3CRET';

interface Hook {
  readonly url: string;
  readonly messages: readonly Record<string, unknown>[];
}

/** A webhook that answers with `status`, or never (null). */
async function withHook(status: number | null, work: (hook: Hook) => Promise<void>): Promise<void> {
  const messages: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      messages.push(JSON.parse(body));
      if (status !== null) response.writeHead(status).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server's address
  try {
    await work({ url: `http://127.0.0.1:${port}${SECRET_PATH}`, messages });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const events = ({ messages }: Hook) => messages.map(({ event }) => event);
const refused = ({ sandbox }: Scene) => sandbox.log().filter(({ code }) => code === 'LIMIT_EXCEEDED');

test(
  'three workers tell a stop, the resume and the end once each; after a spent quota one row an interval is tried, until a pause',
  () =>
    withHook(200, (hook) =>
      withScene('redis', { ...QUIET, quota: 10 }, async (t) => {
        const env = { ZIA_NOTIFY_URL: hook.url, ZIA_RESUME_AFTER_LIMIT_HOURS: '0.001', LOG_LEVEL: 'debug' };
        const file = await t.csv('a.csv', 30);
        expect((await t.run(['enqueue', file])).code).toBe(0);
        const workers = [1, 2, 3].map(() => t.start(['worker'], env));
        await waitFor(() => refused(t).length >= 1 && events(hook).includes('stopped'));
        const atStop = refused(t).length;
        // There is none while a row is tried, which may be just when it is asked for.
        const stop = await waitFor(
          async () => JSON.parse((await t.run(['status', '--json'], env)).stdout).stop ?? false,
        );
        expect(stop).toMatchObject({ code: 'LIMIT_EXCEEDED', nextTry: expect.any(String) });
        await waitFor(() => refused(t).length >= atStop + 2);
        const tries = refused(t)
          .slice(atStop)
          .map(({ atMs }) => atMs);
        for (const [at, ms] of tries.entries()) if (at > 0) expect(ms - (tries[at - 1] ?? 0)).toBeGreaterThan(3_000);

        expect(JSON.parse((await t.run(['pause', '--json'])).stdout)).toEqual({ paused: true, code: 'PAUSED' });
        const whenPaused = t.sandbox.log().filter(({ kind }) => kind === 'post').length;
        await waitFor(() => events(hook).length >= 2, { what: 'the pause to be told' });
        t.sandbox.configure({ quota: null });
        // Longer than an interval; a pause is not lifted by time, which only time can show.
        await new Promise((resolve) => setTimeout(resolve, 5_000));
        expect(t.sandbox.log().filter(({ kind }) => kind === 'post')).toHaveLength(whenPaused);

        expect((await t.run(['resume'])).code).toBe(0);
        await waitFor(() => events(hook).includes('idle'));
        expect(t.sandbox.enrichments()).toHaveLength(30);
        expect(hook.messages.map(({ event, code }) => [event, code])).toEqual([
          ['stopped', 'LIMIT_EXCEEDED'],
          ['stopped', 'PAUSED'],
          ['resumed', null],
          ['idle', null],
        ]);
        for (const { child } of workers) child.kill('SIGTERM');
        const ended = await Promise.all(workers.map((worker) => worker.ended));
        const written = JSON.stringify(hook.messages) + ended.map(({ stderr }) => stderr).join('\n');
        expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
        expect(ended.map(({ stderr }) => stderr).join('\n')).not.toContain(SECRET_PATH);
        expect(written).not.toContain('Company a.csv');
      }),
    ),
  180_000,
);

test.each([500, null, 302])(
  'a webhook that answers %s changes no exit code and no row',
  (status) =>
    withHook(status, (hook) =>
      withScene('embedded', QUIET, async (t) => {
        const file = await t.csv('a.csv', 5);
        const run = await t.run(['run', file, '--yes'], { ZIA_NOTIFY_URL: hook.url });
        expect(run.code).toBe(0);
        expect(t.sandbox.enrichments()).toHaveLength(5);
        expect(new Set(events(hook))).toEqual(new Set(['idle']));
        expect(run.stderr).not.toContain(SECRET_PATH);
        const doctor = await t.run(['doctor', '--notify', '--json'], { ZIA_NOTIFY_URL: hook.url });
        expect(doctor.code).toBe(2);
        expect(doctor.stdout).toContain('did not take the test message');
      }),
    ),
  120_000,
);

test(
  'doctor --notify sends a message that says it is a test',
  () =>
    withHook(204, (hook) =>
      withScene('redis', QUIET, async (t) => {
        expect((await t.run(['doctor', '--notify'], { ZIA_NOTIFY_URL: hook.url })).code).toBe(0);
        expect(hook.messages).toMatchObject([{ event: 'test', text: expect.stringContaining('test message') }]);
        expect((await t.run(['doctor', '--notify'])).stdout).toContain('ZIA_NOTIFY_URL is not set');
      }),
    ),
  60_000,
);
