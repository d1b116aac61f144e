import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true });
const scripts: Record<string, string> = JSON.parse(read('package.json')).scripts;
const instructions = read('Dockerfile')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line));
const ours = Object.entries<{ command: string[]; ports?: string[]; environment?: Record<string, string> }>(
  compose.services,
).filter(([name]) => name !== 'redis');

/** A subcommand of the program is a package script that starts it with that word. */
function expectSubcommand(name: string | undefined): void {
  expect(scripts[name ?? '']).toBe(`node dist/cli/main.js ${name}`);
}

describe('docker-compose.yml', () => {
  test('runs Redis so that it refuses writes when full and keeps every acknowledged one', () => {
    const { command, image, healthcheck } = compose.services.redis;
    expect(command.join(' ')).toBe(
      'redis-server --maxmemory-policy noeviction --appendonly yes --appendfsync always --hash-max-listpack-value 512',
    );
    expect(image).toMatch(/^redis:\d+\.\d+-alpine$/);
    expect(healthcheck.test).toEqual(['CMD', 'redis-cli', 'ping']);
  });

  test('publishes every port on loopback only', () => {
    const ports = Object.values<{ ports?: string[] }>(compose.services).flatMap((service) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test.each(ours)('starts %s with a command that the program has', (_name, service) => {
    expectSubcommand(service.command[0]);
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
    const allowed = read('.dockerignore').split('\n');
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
    for (const image of images) expect(image).toMatch(/^node:20\.\d+-slim$/);
    expect(instructions.filter((line) => line.startsWith('USER '))).toEqual(['USER node']);
  });
});
