import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { DCLinter } from 'dclint';
import { parse } from 'yaml';
import { CLOSING_MS } from '../../src/cli/session.js';
import { VARIABLES } from '../../src/lib/config/variables.js';
import { loadConfig, SPARE_AFTER_REQUEST_MS } from '../../src/lib/config.js';
import { createMonitoring } from '../../src/lib/metrics/monitoring.js';
import { serveMonitoring } from '../../src/lib/metrics/serve-monitoring.js';
import { processStart } from '../../src/lib/process-identity.js';
import { openTestEngine } from '../support/engines.js';
import { withScratch } from '../support/scratch.js';
import { setup } from '../support/setup.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true });
const scripts: Record<string, string> = JSON.parse(read('package.json')).scripts;
const instructions = read('Dockerfile')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line));
interface Service {
  readonly command: string[];
  readonly healthcheck: { readonly test: string[] };
  readonly ports?: string[];
  readonly environment?: Record<string, string>;
}

const ours = Object.entries<Service>(compose.services).filter(([name]) => name !== 'redis');

const root = new URL('../..', import.meta.url).pathname;
const run = promisify(execFile);

/** A worker that was told to end is gone after this time, whatever happens. */
const longestEndSeconds = (loadConfig({}).work.requestTimeoutMs + SPARE_AFTER_REQUEST_MS + CLOSING_MS) / 1_000;

function seconds(duration: string | undefined): number {
  return Number(/^(\d+)s$/.exec(duration ?? '')?.[1]);
}

/** What Compose puts in, and asks for where it is not set. */
const PASSWORD = `\${REDIS_PASSWORD:?set REDIS_PASSWORD in .env, letters and digits}`;

/** A subcommand of the program is a package script that starts it with that word. */
function expectSubcommand(name: string | undefined): void {
  expect(scripts[name ?? '']).toBe(`node dist/cli/main.js ${name}`);
}

describe('docker-compose.yml', () => {
  test('is what the compose specification allows', () => {
    const [file] = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] }).lintFiles(
      [join(root, 'docker-compose.yml')],
      false,
    );
    expect(file?.messages.filter(({ type }: { type: string }) => type === 'error')).toEqual([]);
  });

  test('runs Redis so that it refuses writes when full and keeps every acknowledged one', () => {
    const { command, image, healthcheck } = compose.services.redis;
    expect(command.join(' ')).toBe(
      `redis-server --maxmemory-policy noeviction --appendonly yes --appendfsync always --hash-max-listpack-value 512 --requirepass ${PASSWORD}`,
    );
    expect(image).toMatch(/^redis:\d+\.\d+-alpine$/);
    expect(healthcheck.test).toEqual(['CMD', 'redis-cli', '-e', 'ping']);
  });

  test('publishes every port on loopback only', () => {
    const ports = Object.values<{ ports?: string[] }>(compose.services).flatMap((service) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+:-(\d+)\}:\1$/);
  });

  test('lets ports be moved by names that the program does not take for settings of its own', () => {
    const names = [...read('docker-compose.yml').matchAll(/\$\{([A-Z_]+)/g)].map((match) => match[1] ?? '');
    expect(new Set(names)).toEqual(new Set(['REDIS_PASSWORD', 'REDIS_HOST_PORT', 'DASHBOARD_HOST_PORT']));
    expect(() => loadConfig(Object.fromEntries(names.map((name) => [name, '7000'])))).not.toThrow();
  });

  test('keeps what Redis has written in a volume', () => {
    expect(compose.services.redis.volumes).toEqual(['redis-data:/data']);
    expect(compose.volumes).toHaveProperty('redis-data');
  });

  test.each(['worker', 'dashboard'])('gives the %s the settings of .env, and the Redis beside it', (name) => {
    const { env_file, environment, depends_on } = compose.services[name];
    expect(env_file).toEqual([{ path: '.env', required: false }]);
    expect(environment.REDIS_URL).toBe(`redis://:${PASSWORD}@redis:6379`);
    expect(depends_on).toEqual({ redis: { condition: 'service_healthy' } });
  });

  test('keeps out of a mounted folder what commands of the host remember there', () => {
    const onRedis = ours.filter(([, { environment }]) => environment?.REDIS_URL !== undefined);
    expect(onRedis.map(([name]) => name)).toEqual(['worker', 'dashboard', 'sandbox-worker']);
    for (const [, { environment }] of onRedis) expect(environment?.ZIA_DATA_DIR).toMatch(/^\/tmp\/./);
  });

  test('lets others on its network ask a worker for its metrics', () => {
    expect(compose.services.worker.environment.ZIA_METRICS_HOST).toBe('0.0.0.0');
  });

  test('brings every service back until somebody stops it', () => {
    for (const { restart } of Object.values<{ restart: string }>(compose.services)) {
      expect(restart).toBe('unless-stopped');
    }
  });

  test.each(ours)('starts %s with a command that the program has', (_name, service) => {
    expectSubcommand(service.command[0]);
  });

  test.each(ours)('asks %s for its health, where it serves it', (name, { healthcheck, environment = {}, command }) => {
    const [kind, program, script, address] = healthcheck.test;
    expect([kind, program, script]).toEqual(['CMD', 'node', '/app/healthcheck.mjs']);
    const defaults = Object.fromEntries(VARIABLES.map((variable) => [variable.name, variable.default ?? '']));
    const settings = { ...defaults, ...environment };
    const ports: Record<string, string | undefined> = {
      dashboard: settings.ZIA_DASHBOARD_PORT,
      sandbox: command[2],
    };
    // Without an address it finds the worker of its own container.
    if (command[0] === 'worker') {
      expect(address).toBeUndefined();
      return;
    }
    const url = new URL(address ?? '');
    expect(url.port).toBe(ports[command[0] ?? '']);
    expect(url.pathname).toBe(name === 'sandbox' ? '/__sandbox/options' : '/healthz');
  });

  test.each(ours)('gives %s nothing that it does not need', (_name, service) => {
    expect(service).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], init: true });
    expect(service).toMatchObject({ read_only: true, tmpfs: ['/tmp:mode=1777'], mem_limit: '1g', pids_limit: 100 });
  });

  test('gives Redis a password and nothing that it does not need', () => {
    const { redis } = compose.services;
    expect(redis.environment).toEqual({ REDISCLI_AUTH: PASSWORD });
    expect(redis).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], read_only: true });
    expect(redis.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test('gives a worker longer to end than it may take', () => {
    for (const name of ['worker', 'sandbox-worker']) {
      expect(seconds(compose.services[name].stop_grace_period)).toBeGreaterThan(longestEndSeconds);
    }
    const unit = read('deploy/systemd/zia-worker@.service');
    expect(seconds(/^TimeoutStopSec=(.*)$/m.exec(unit)?.[1])).toBeGreaterThan(longestEndSeconds);
  });

  test('lets workers be scaled: no fixed name and no published port', () => {
    expect(compose.services.worker).not.toHaveProperty('container_name');
    expect(compose.services.worker).not.toHaveProperty('ports');
    expect(compose.services.worker.depends_on.redis.condition).toBe('service_healthy');
  });

  test('brings no password of its own, so the dashboard asks for one from .env', () => {
    expect(compose.services.dashboard.environment.ZIA_DASHBOARD_HOST).toBe('0.0.0.0');
    expect(compose.services.dashboard.environment).not.toHaveProperty('ZIA_DASHBOARD_PASSWORD');
  });

  test('starts the sandbox only when its profile is asked for, apart from real rows', () => {
    expect(compose.services.sandbox.profiles).toEqual(['sandbox']);
    expect(compose.services['sandbox-worker'].profiles).toEqual(['sandbox']);
    expect(compose.services['sandbox-worker'].environment.ZIA_PREFIX).toBe('sandbox');
    expect(compose.services['sandbox-worker']).not.toHaveProperty('env_file');
  });
});

describe('Dockerfile', () => {
  test('copies only files that exist and that .dockerignore lets through', () => {
    const [everything, ...allowed] = read('.dockerignore')
      .split('\n')
      .filter((line) => !line.startsWith('#'));
    expect(everything).toBe('*');
    const sources = instructions
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) {
      expect(existsSync(new URL(`../../${source}`, import.meta.url))).toBe(true);
      expect(allowed).toContain(`!${source}`);
    }
  });

  test('copies from the build only what npm and the build script leave there', () => {
    const copied = instructions.filter((line) => line.includes('--from=build')).map((line) => line.split(/\s+/)[2]);
    expect(copied).toEqual(['/app/package.json', '/app/node_modules', '/app/dist']);
  });

  test('runs package scripts and subcommands that exist', () => {
    for (const [, name] of read('Dockerfile').matchAll(/npm run ([\w:-]+)/g))
      expect(scripts).toHaveProperty([name ?? '']);
    const entry = instructions.find((line) => line.startsWith('ENTRYPOINT '));
    expect(entry).toContain('/app/dist/cli/main.js');
    const command = instructions.find((line) => line.startsWith('CMD '))?.slice('CMD '.length);
    expectSubcommand(JSON.parse(command ?? '[]')[0]);
  });

  test('uses a pinned slim image of the supported Node and does not run as root', () => {
    const images = instructions.filter((line) => line.startsWith('FROM ')).map((line) => line.split(/\s+/)[1]);
    for (const image of images) expect(image).toMatch(/^node:24\.\d+-slim$/);
    expect(instructions.filter((line) => line.startsWith('USER '))).toEqual(['USER 1000:1000']);
  });

  test('asks for the health of what it starts without other words', () => {
    const check = instructions.find((line) => line.startsWith('HEALTHCHECK '));
    expect(check).toMatch(/CMD \["node", "\/app\/healthcheck\.mjs"\]$/);
    // Without a word, as here, the script looks for a worker from ZIA_METRICS_PORT on.
    expect(read('deploy/healthcheck.mjs')).toContain('process.env.ZIA_METRICS_PORT || 9464');
    expect(VARIABLES.find(({ name }) => name === 'ZIA_METRICS_PORT')?.default).toBe('9464');
  });
});

test.each([
  [200, 0],
  [503, 1],
  [null, 1],
])('the health check of a server that answers %p ends with %d', async (status, code) => {
  const server = createServer((_, response) => response.writeHead(status ?? 500).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has one
  if (status === null) server.close();
  expect(await healthCheck([`http://127.0.0.1:${port}/healthz`])).toBe(code);
  server.close();
});

function healthCheck(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  return run(process.execPath, [join(root, 'deploy/healthcheck.mjs'), ...words], { env }).then(
    () => 0,
    (error: { code: number }) => error.code,
  );
}

const OWN = `${process.pid} ${processStart(process.pid)?.split('@')[0]}`;

test.each([
  ['is ready', OWN, [], 0],
  ['belongs to a fleet that is stopped', OWN, ['STOPPED', 'ENGINE_AWAY'], 0],
  ['holds rows and finishes none', OWN, ['ROWS_STUCK'], 1],
  ['fetches no rows', OWN, ['FETCH_LOOP_STUCK'], 1],
  ['is of another container', `${process.pid} 1`, [], 1],
])('the health check of a worker that %s', async (_state, identity, codes, code) => {
  const worker = (identityOf: string, reasons: readonly string[]) =>
    createServer((request, response) => {
      response.writeHead(request.url === '/healthz' || reasons.length === 0 ? 200 : 503, {
        'x-zia-process': identityOf,
      });
      response.end(
        JSON.stringify({ ready: reasons.length === 0, reasons: reasons.map((reason) => ({ code: reason })) }),
      );
    });
  const listen = async (server: Server, port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port; // a TCP server has one
  };
  // Another's has the port that was asked for; our own took a later one.
  const [other, own] = [worker('1 1', ['ROWS_STUCK']), worker(identity, codes)];
  const first = await listen(other, 0);
  for (let port = first + 1; ; port += 1) {
    const isFree = await listen(own, port).then(
      () => true,
      () => false,
    );
    if (isFree) break;
  }
  expect(await healthCheck([], { ZIA_METRICS_PORT: String(first) })).toBe(code);
  own.close();
  other.close();
});

test('a worker tells its process where its health is asked for', async () => {
  await using t = setup();
  const { engine } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const server = t.closing(await serveMonitoring(createMonitoring({ engine, queue }), '127.0.0.1', 0), (opened) =>
    opened.close(),
  );
  expect(await healthCheck([], { ZIA_METRICS_PORT: String(server.port) })).toBe(0);
});

describe('deploy/zia-enrich', () => {
  const script = join(root, 'deploy/zia-enrich');

  test('starts the program of the units, with their settings, as the one who asks', () =>
    withScratch(async (folder) => {
      await writeFile(join(folder, 'sudo'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
      const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
      const { stdout } = await run(script, ['enqueue', 'my accounts.csv'], { env });
      const words = stdout.trim().split('\n');
      const unit = read('deploy/systemd/zia-worker@.service');
      const settings = /^EnvironmentFile=.*$/m.exec(unit)?.[0];
      const program = /^ExecStart=(\S+ \S+) /m.exec(unit)?.[1]?.split(' ') ?? [];
      expect(words[0]).toBe('systemd-run');
      expect(words).toContain(`--property=${settings}`);
      expect(words).toContain(`--property=User=${userInfo().username}`);
      expect(words.slice(-4)).toEqual([...program, 'enqueue', 'my accounts.csv']);
    }));

  const hasSystemd = existsSync('/usr/bin/systemd-run');
  (hasSystemd ? test : test.skip)('uses options that systemd-run has', async () => {
    const { stdout: help } = await run('systemd-run', ['--help']);
    for (const [option] of readFileSync(script, 'utf8').matchAll(/--[a-z-]+/g)) expect(help).toContain(`${option}`);
  });
});

describe.each(readdirSync(join(root, 'deploy/systemd')))('deploy/systemd/%s', (unit) => {
  const text = read(`deploy/systemd/${unit}`);

  test('starts a command that the program has, with settings that it knows', () => {
    expectSubcommand(/^ExecStart=\/usr\/bin\/node \S+\/dist\/cli\/main\.js (\w+)$/m.exec(text)?.[1]);
    const known = VARIABLES.map(({ name }) => name);
    const named = [...text.matchAll(/\bZIA_[A-Z_]+/g)].map(([name]) => name);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('comes up again after a failure; a worker not after a wrong setting', () => {
    expect(text).toContain('\nRestart=on-failure\n');
    expect(text.includes('\nRestartPreventExitStatus=2\n')).toBe(unit === 'zia-worker@.service');
  });

  const hasSystemd = existsSync('/usr/bin/systemd-analyze');
  (hasSystemd ? test : test.skip)('is one that systemd takes, and that it calls safe', () =>
    withScratch(async (folder) => {
      // The same unit with the Node of this machine, as an instance where it is a template.
      const file = join(folder, basename(unit).replace('@.', '@9464.'));
      await writeFile(file, text.replaceAll('/usr/bin/node', process.execPath));
      const verified = await run('systemd-analyze', ['verify', file]);
      expect(verified.stderr).toBe('');
      await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', file]);
    }),
  );
});
