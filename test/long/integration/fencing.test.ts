import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { INITIAL_CONTROL, resumed, stopped } from '../../../src/lib/core/control.js';
import type { QueueCounts } from '../../../src/lib/engine/engine.js';
import type { LedgerCounts } from '../../../src/lib/store/store.js';
import { type Summary, summarise } from '../../../src/sandbox/effects.js';
import type { Sandbox } from '../../../src/sandbox/server.js';
import { timingFor } from '../../../src/workers/timing.js';
import { testRedisUrl } from '../../support/engines.js';
import { goodRows, queueRows } from '../../support/fleet.js';
import { watchLateness } from '../../support/lateness.js';
import { openProcessFleet, type ProcessFleet, type WorkerProcess } from '../../support/process-fleet.js';
import { setup, type TestScope } from '../../support/setup.js';
import { openTcpTap } from '../../support/tcp-tap.js';
import { waitFor } from '../../support/wait.js';

/**
 * Workers that stand still at the worst moment, for longer than every lock, while another works on; and one that dies as
 * the canary. They stand still at the same time, because that takes more than a minute.
 */
const REQUEST_TIMEOUT_MS = 3_000;
/** BullMQ's lock is the longest, and a little more. */
const MAX_LOCK_MS = timingFor(REQUEST_TIMEOUT_MS).lockDurationMs + 1_000;
const WORKER = {
  ZIA_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
  ZIA_WORKER_CONCURRENCY: '1',
  ZIA_RATE_LIMIT_PER_SECOND: '50',
};
const AT_FIRST = 4;
const MEANWHILE = 5;
const AFTERWARDS = 2;
const ROWS = AT_FIRST + MEANWHILE + AFTERWARDS;

const POINTS = ['waiting for a slot', 'between claim and connect', 'during connect', 'after sending'] as const;
type Point = (typeof POINTS)[number];

interface Ending {
  readonly atZoho: Summary;
  readonly queue: QueueCounts;
  readonly ledger: LedgerCounts;
  readonly frozenMs: number;
}

const scopes: TestScope[] = [];
const endings = new Map<Point, Ending>();
let canary: { readonly ending: Omit<Ending, 'frozenMs'>; readonly takenOverMs: number };

beforeAll(async () => {
  await Promise.all([
    ...POINTS.map(async (point) => {
      endings.set(point, await freezeAt(point));
    }),
    killCanary().then((result) => {
      canary = result;
    }),
  ]);
}, 150_000);
afterAll(async () => {
  for (const scope of scopes) await scope.close();
});

function scope(): TestScope {
  const opened = setup();
  scopes.push(opened);
  return opened;
}

describe.each(POINTS)('a worker frozen %s, for longer than every lock', (point) => {
  test('sends no row twice, loses none and fails none', () => {
    const { atZoho, queue, ledger, frozenMs } = ending(point);
    expect(frozenMs).toBeGreaterThan(MAX_LOCK_MS);
    expect(atZoho).toMatchObject({ accepted: ROWS, acceptedTwice: 0 });
    expect(queue).toMatchObject({ completed: ROWS, failed: 0, waiting: 0, active: 0, delayed: 0 });
    expect(ledger).toMatchObject({ scheduled: ROWS, sending: 0, uncertain: 0, held: 0 });
  });

  test('does not send late what another worker has sent meanwhile', () => {
    // Not even a call that Zoho would refuse: one POST a row, whoever made it.
    expect(ending(point).atZoho.posts).toBe(ROWS);
  });
});

test('a worker killed as the canary leaves the canary to another, and its row is found', () => {
  const { ending: after, takenOverMs } = canary;
  expect(after.atZoho).toMatchObject({ posts: AT_FIRST + MEANWHILE, accepted: AT_FIRST + MEANWHILE, acceptedTwice: 0 });
  expect(after.queue).toMatchObject({ completed: AT_FIRST + MEANWHILE, failed: 0 });
  expect(after.ledger).toMatchObject({ scheduled: AT_FIRST + MEANWHILE, uncertain: 0, held: 0 });
  expect(takenOverMs).toBeLessThan(15_000);
});

function ending(point: Point): Ending {
  const found = endings.get(point);
  if (found === undefined) throw new Error(`nothing was frozen ${point}`);
  return found;
}

/** One row is under way in a worker that freezes at the point; another comes and works on until all is done. */
async function freezeAt(point: Point): Promise<Ending> {
  const t = scope();
  let frozenAt: number | undefined;
  let victim: WorkerProcess | undefined;
  const freeze = () => {
    if (victim === undefined || frozenAt !== undefined) return;
    victim.freeze();
    frozenAt = performance.now();
  };
  const fleet = await openProcessFleet(t, { latencyMs: point === 'after sending' ? 300 : 20 }, async (sandbox) => ({
    ...WORKER,
    // Slots are far enough apart for the next row to wait for its own.
    ...(point === 'waiting for a slot' && { ZIA_RATE_LIMIT_PER_SECOND: '2' }),
    ...(point === 'during connect' && (await overTls(t, sandbox, freeze))),
  }));
  victim = await fleet.start(await viaTap(t, point, freeze));
  await queueRows(fleet.queue, goodRows(AT_FIRST, 'First'));
  if (point === 'after sending') await waitFor(() => fleet.posts().length > 0, { what: 'the first call' }).then(freeze);
  const since = await waitFor(() => frozenAt, { what: `the worker to be frozen ${point}` });

  const helper = await fleet.start();
  await queueRows(fleet.queue, goodRows(MEANWHILE, 'Meanwhile'));
  await completed(fleet, AT_FIRST + MEANWHILE);
  await waitFor(() => performance.now() - since > MAX_LOCK_MS, { what: 'every lock to end' });
  const frozenMs = performance.now() - since;
  victim.thaw();
  await helper.end();
  // Only the thawed worker is left, so these rows prove that it is well again.
  await queueRows(fleet.queue, goodRows(AFTERWARDS, 'Afterwards'));
  await completed(fleet, ROWS);
  await victim.end();
  return { ...(await outcome(fleet)), frozenMs };
}

async function killCanary(): Promise<typeof canary> {
  const fleet = await openProcessFleet(scope(), {}, () => WORKER);
  const { control } = fleet.engine.store;
  await control.change((value, nowMs) =>
    stopped(value ?? INITIAL_CONTROL, { code: 'PAUSED', message: '', sinceMs: nowMs, key: null, line: null }),
  );
  await queueRows(fleet.queue, goodRows(AT_FIRST + MEANWHILE));
  fleet.sandbox.configure({ faults: [{ kind: 'never-answer-after', on: 'post', share: 1, times: 1 }] });
  const victim = await fleet.start();
  await control.change((value) => resumed(value ?? INITIAL_CONTROL));
  await waitFor(() => fleet.posts().length === 1, { what: 'the canary' });
  await victim.kill();
  await fleet.start();
  const lateness = watchLateness();
  const since = performance.now();
  await waitFor(() => fleet.posts().length > 1, { what: 'another canary' });
  const takenOverMs = performance.now() - since - lateness();
  await completed(fleet, AT_FIRST + MEANWHILE);
  return { ending: await outcome(fleet), takenOverMs };
}

async function completed(fleet: ProcessFleet, rows: number): Promise<void> {
  // A row that was claimed and not sent is sent again a minute later.
  await waitFor(async () => (await fleet.engine.counts()).completed === rows, { what: `${rows} rows` });
}

async function outcome({ engine, sandbox }: ProcessFleet): Promise<Omit<Ending, 'frozenMs'>> {
  return { atZoho: summarise(sandbox.log()), queue: await engine.counts(), ledger: await engine.store.counts() };
}

/** The worker's own way to Redis: it is frozen when the store's word is on its way to it. */
async function viaTap(t: TestScope, point: Point, freeze: () => void): Promise<Record<string, string>> {
  const word = { 'waiting for a slot': '$7\r\nnot-yet\r\n', 'between claim and connect': '$2\r\ngo\r\n' }[
    point as string
  ];
  if (word === undefined) return {};
  const { hostname: host, port } = new URL(testRedisUrl());
  const tap = await openTcpTap({
    target: { host, port: Number(port) },
    onAnswerBytes: (bytes, pass) => {
      if (bytes.includes(word)) freeze();
      pass();
    },
  });
  t.closing(tap, () => tap.close());
  return { REDIS_URL: `redis://127.0.0.1:${tap.port}` };
}

const tlsFile = (name: string) => fileURLToPath(new URL(`../../fixtures/tls/${name}.pem`, import.meta.url));

/** The sandbox over TLS: the first byte of a handshake freezes the worker, which the rest of the handshake waits for. */
async function overTls(t: TestScope, sandbox: Sandbox, freeze: () => void): Promise<Record<string, string>> {
  const server = createServer({ key: readFileSync(tlsFile('key')), cert: readFileSync(tlsFile('cert')) }, (socket) => {
    const plain = connect(sandbox.port, '127.0.0.1');
    socket.on('error', () => plain.destroy());
    plain.on('error', () => socket.destroy());
    socket.pipe(plain).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.closing(server, () => server.close());
  const { port } = server.address() as AddressInfo; // a TCP server's address
  const tap = await openTcpTap({
    target: { host: '127.0.0.1', port },
    onRequestBytes: (_bytes, pass) => {
      freeze();
      pass();
    },
  });
  t.closing(tap, () => tap.close());
  return { ZOHO_API_DOMAIN: `https://127.0.0.1:${tap.port}`, NODE_EXTRA_CA_CERTS: tlsFile('cert') };
}
