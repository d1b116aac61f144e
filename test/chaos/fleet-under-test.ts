import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js';
import { cli } from '../support/cli.js';
import { setup } from '../support/setup.js';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { type DurableRedis, openDurableRedis } from './durable-redis.js';
import { createMember, type Member, removeFolder } from './member.js';
import { openTopology, type Topology, type TopologyKind } from './topologies.js';

export type ChaosEngine = 'redis' | 'embedded';

/** Everything one run of the suite is made of: a store, Zoho's stand-in, and the processes between them. */
export interface FleetUnderTest {
  readonly engine: ChaosEngine;
  readonly dir: string;
  readonly sandbox: Sandbox;
  /** One Redis, and the way to it of the fleet, which can fail. Null on the embedded engine, and with a topology. */
  readonly redis: DurableRedis | null;
  readonly toRedis: TcpProxy | null;
  /** The server that the fleet, and the commands beside it, reach from now on. Cuts their connections. */
  serveFrom(redis: DurableRedis): void;
  readonly topology: Topology | null;
  readonly toZoho: TcpProxy;
  readonly workers: readonly Member[];
  readonly producer: Member;
  /** Runs a command of the program that is not part of the fleet, such as `resume`. */
  command(words: readonly string[]): ReturnType<typeof cli>;
  /** Ends everything. `keep` leaves the folder, with the logs of the fleet and of the stand-in, for a look at what happened. */
  close(keep: boolean): Promise<void>;
}

export interface FleetOptions {
  readonly engine: ChaosEngine;
  readonly rows: number;
  readonly workers: number;
  readonly seed: number;
  /** Chosen so that the rows last as long as the trouble. */
  readonly callsPerSecond: number;
  /** Redis keeps only what was saved when somebody asked: a restart brings an older copy. */
  readonly losing: boolean;
  /** Default: one Redis. */
  readonly topology?: TopologyKind | undefined;
  /** Variables of the fleet's processes, on top. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Short enough that a frozen worker outlives every lock within seconds. */
const REQUEST_TIMEOUT_MS = 3_000;

export async function openFleet({
  engine,
  rows,
  workers,
  seed,
  callsPerSecond,
  losing,
  topology: kind,
  env = {},
}: FleetOptions): Promise<FleetUnderTest> {
  const servers = setup();
  const dir = await mkdtemp(join(tmpdir(), 'zia-chaos-'));
  for (const [name, columns] of Object.entries(FILES)) await writeFile(join(dir, name), csvOf(rows, columns));
  // No enrichment fails at Zoho: results come in while a long run goes on, and each failed row must be ours to answer for.
  const sandbox = await startSandbox({ seed, latencyMs: [5, 60], tokenLifeSeconds: 20, failedShare: 0 });
  const topology = kind === undefined ? null : await openTopology(servers, kind, '{zia}');
  const redis =
    engine === 'redis' && !topology ? await openDurableRedis({}, { persistence: losing ? 'asked' : 'always' }) : null;
  const toZoho = await openTcpProxy({ host: '127.0.0.1', port: sandbox.port });
  const toRedis = redis && (await openTcpProxy({ host: '127.0.0.1', port: redis.port }));
  // Of the commands beside the fleet: it never fails.
  const around = redis && (await openTcpProxy({ host: '127.0.0.1', port: redis.port }));
  const urlOf = (proxy: TcpProxy | null) => topology?.url ?? (proxy && `redis://127.0.0.1:${proxy.port}`);
  const account = {
    ZOHO_CLIENT_ID: 'sandbox',
    ZOHO_CLIENT_SECRET: 'sandbox',
    ZOHO_REFRESH_TOKEN: 'sandbox',
    ZOHO_ACCOUNTS_URL: sandbox.url,
    // The workers reach Zoho's stand-in through a proxy that can fail.
    ZOHO_API_DOMAIN: `http://127.0.0.1:${toZoho.port}`,
    ZIA_RATE_LIMIT_PER_SECOND: String(callsPerSecond),
    ZIA_MAX_IN_FLIGHT: '12',
    ZIA_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
    ZIA_BACKOFF_BASE_MS: '200',
    ZIA_BACKOFF_CAP_MS: '3000',
    LOG_LEVEL: 'info',
  };
  const through = (proxy: TcpProxy | null, more = {}) => {
    const REDIS_URL = urlOf(proxy);
    return { cwd: dir, env: { ...account, ...(REDIS_URL !== null && { REDIS_URL }), ...more } };
  };
  const direct = through(around);
  const proxied = through(toRedis, env);
  const members = Array.from({ length: engine === 'redis' ? workers : 1 }, (_, index) =>
    createMember(`worker ${index + 1}`, ['worker', '--engine', engine], proxied),
  );
  const producer = createMember('producer', ['enqueue', 'accounts.csv', '--engine', engine], proxied);
  return {
    engine,
    dir,
    sandbox,
    redis,
    toRedis,
    serveFrom: ({ port }) => {
      for (const proxy of [toRedis, around]) {
        proxy?.pointTo(port);
        proxy?.cut();
      }
    },
    topology,
    toZoho,
    workers: members,
    producer,
    command: (words) => cli([...words, '--engine', engine], direct),
    close: async (keep) => {
      await Promise.all([...members, producer].map((member) => member.kill()));
      if (keep) await keepLogs(dir, sandbox, [...members, producer]);
      await Promise.all([toZoho.close(), toRedis?.close(), around?.close()]);
      await redis?.close();
      await servers.close();
      await sandbox.close();
      if (!keep) await removeFolder(dir);
    },
  };
}

async function keepLogs(dir: string, sandbox: Sandbox, members: readonly Member[]): Promise<void> {
  for (const member of members) await writeFile(join(dir, `${member.name}.log`), member.stderr());
  await writeFile(
    join(dir, 'zoho.ndjson'),
    sandbox
      .log()
      .map((event) => `${JSON.stringify(event)}\n`)
      .join(''),
  );
  console.error(`What happened is kept in ${dir}`);
}

/** What a column is called in a file, and what it holds. */
type Columns = Readonly<Record<string, (id: string) => string>>;

const name = (id: string) => `Company ${id}`;
const email = (id: string) => `info@company-${id}.example`;
const website = (id: string) => `www.company-${id}.example`;

/** The same companies in every file, and in each the name, by which rows are one purchase. */
const FILES: Readonly<Record<string, Columns>> = {
  'accounts.csv': { Name: name, Email: email, Website: website },
  'left-out.csv': { Name: name, Website: website },
  'no-website.csv': { Name: name, Email: email },
  'added.csv': { Name: name, Email: email, Website: website, Town: (id) => `Town ${id}` },
  'renamed.csv': { URL: website, Company: name, 'E-mail': email },
};

/** The files that have a column less, more, or by another name. */
export const OTHER_FILES = Object.keys(FILES).filter((file) => file !== 'accounts.csv');

function csvOf(rows: number, columns: Columns): string {
  const lines = Array.from({ length: rows }, (_, index) => {
    const id = String(index + 1).padStart(6, '0');
    return Object.values(columns).map((cellOf) => cellOf(id));
  });
  return [Object.keys(columns), ...lines, []].map((cells) => cells.join(',')).join('\n');
}
