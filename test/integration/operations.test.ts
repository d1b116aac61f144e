import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { INITIAL_CONTROL, stopped } from '../../src/lib/core/control.js';
import { createCallMetrics } from '../../src/lib/metrics/call-metrics.js';
import { createMonitoring } from '../../src/lib/metrics/monitoring.js';
import type { RememberedAllowance } from '../../src/lib/zoho/allowance.js';
import { startServer } from '../support/redis-topologies.js';
import { openWorkScene } from '../support/scene.js';
import { withScratch } from '../support/scratch.js';
import { setup, type TestScope } from '../support/setup.js';

const root = new URL('../..', import.meta.url).pathname;
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const doc = read('docs/operations.md');
const sourceOf = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => read(join(folder, path)))
    .join('\n');
const source = sourceOf('src');

/** The rows of the table under a heading, by what their first cell names. */
function tableUnder(heading: string): readonly { names: readonly string[]; cells: readonly string[] }[] {
  const section = doc.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => /^\| `/.test(line));
  return rows.map((row) => {
    const cells = row.split('|').map((cell) => cell.trim());
    return { names: [...(cells[1] ?? '').matchAll(/`([\w.-]+)/g)].map((match) => match[1] ?? ''), cells };
  });
}

const sorted = (names: Iterable<string>) => [...new Set(names)].sort();

describe('docs/operations.md', () => {
  test('explains every event that the program logs, with its level, and no other', () => {
    const logged = [...source.matchAll(/\blog\s*\.(error|warn|info|debug)\(\s*'([^']+)'/g)];
    expect(logged.length).toBeGreaterThan(30);
    const explained = tableUnder('Log events').flatMap(({ names, cells }) =>
      names.flatMap((name) => (cells[2] ?? '').split(', ').map((level) => `${name} ${level}`)),
    );
    expect(sorted(explained)).toEqual(sorted(logged.map(([, level, event]) => `${event} ${level}`)));
  });

  test('logs with a name that can be found, not with a computed one', () => {
    const calls = [...source.matchAll(/\blog\s*\.(?:error|warn|info|debug)\(\s*(.)/g)].map((match) => match[1]);
    expect(new Set(calls)).toEqual(new Set(["'"]));
  });

  test('explains every metric of ours and of BullMQ, and no other', () => {
    const ours = [...sourceOf('src/lib/metrics').matchAll(/'(zia_\w+)'/g)].map((match) => match[1] ?? '');
    const bullmq = read('node_modules/bullmq/dist/esm/classes/queue-getters.js').matchAll(/# TYPE (bullmq_\w+)/g);
    const explained = tableUnder('Metrics').flatMap(({ names }) => names);
    expect(sorted(explained)).toEqual(sorted([...ours, ...[...bullmq].map((match) => match[1] ?? '')]));
  });

  test('links within itself to headings that it has', () => {
    const anchors = [...doc.matchAll(/^#+ (.+)$/gm)].map((match) =>
      (match[1] ?? '').toLowerCase().replaceAll(' ', '-'),
    );
    const targets = [...doc.matchAll(/\]\(#([^)]+)\)/g)].map((match) => match[1] ?? '');
    expect(targets.filter((target) => !anchors.includes(target))).toEqual([]);
  });
});

describe('deploy/restore-redis.sh', () => {
  const run = promisify(execFile);
  const restore = (backup: string, folder: string) =>
    run('sh', [join(root, 'deploy/restore-redis.sh'), backup, folder]);

  test('an append-only Redis starts with what a backup holds, and what was there before is kept beside it', () =>
    withScratch(async (folder) => {
      await using t = setup();
      const backup = join(folder, 'backup.rdb');
      const appendOnly = { settings: { appendonly: 'yes' } };
      const before = await startServer(t, {
        settings: { ...appendOnly.settings, 'repl-diskless-sync-delay': '0' },
      });
      await before.client.hset('ledger', 'row', 'paid');
      await run('redis-cli', ['-p', String(before.port), '--rdb', backup]);

      const broken = await startServer(t, appendOnly);
      await broken.client.set('other', 'rows');
      const [, dir] = (await broken.client.config('GET', 'dir')) as [string, string];
      await broken.kill();
      await restore(backup, dir);
      const restored = await startServer(t, { settings: { appendonly: 'yes', dir } });
      expect(await restored.client.keys('*')).toEqual(['ledger']);
      expect(await restored.client.hget('ledger', 'row')).toBe('paid');
      expect(existsSync(join(dir, 'before-restore/appendonlydir'))).toBe(true);
    }));

  test('says so and ends when the backup is none', () =>
    withScratch(async (folder) => {
      await writeFile(join(folder, 'backup.rdb'), 'not a backup');
      await expect(restore(join(folder, 'backup.rdb'), folder)).rejects.toMatchObject({ code: 1 });
    }));
});

describe('deploy/prometheus-alerts.yml', () => {
  const rules: { alert: string; expr: string; annotations: { summary: string } }[] = parse(
    read('deploy/prometheus-alerts.yml'),
  ).groups.flatMap((group: { rules: unknown[] }) => group.rules);

  test('is what the document lists', () => {
    expect(tableUnder('Alerts').flatMap(({ names }) => names)).toEqual(rules.map(({ alert }) => alert));
  });

  test('asks only for metrics that are there', () => {
    const known = tableUnder('Metrics').flatMap(({ names }) => names);
    for (const { expr } of rules) {
      const named = [...expr.matchAll(/\b(?:zia|bullmq)_\w+/g)].map(([name]) => name);
      expect(named.length).toBeGreaterThan(0);
      expect(named.filter((name) => !known.includes(name))).toEqual([]);
    }
  });

  test('asks only for labels, and values of them, that a scrape brings', async () => {
    await using t = setup();
    const series = await everySeries(t);
    const asked = rules.flatMap(({ expr }) => [...expr.matchAll(/\b((?:zia|bullmq)_\w+)\{([^}]*)\}/g)]);
    expect(asked.length).toBeGreaterThan(5);
    for (const [matcher, name = '', labels = ''] of asked) {
      for (const [, label = '', values = ''] of labels.matchAll(/(\w+)(?:=|!=|=~|!~)"([^"]*)"/g)) {
        const there = series.filter((line) => line.startsWith(`${name}{`)).join('\n');
        for (const value of values.split('|'))
          expect([matcher, there]).toEqual([matcher, expect.stringContaining(`${label}="${value}"`)]);
      }
    }
  });
});

const PAUSE = { code: 'PAUSED', message: 'Paused by a test.', sinceMs: 1, key: null, line: null };

/** The samples of a paused fleet whose allowance is known. */
async function everySeries(t: TestScope): Promise<readonly string[]> {
  const { engine, queue } = await openWorkScene(t);
  await engine.store.control.change((control) => stopped(control ?? INITIAL_CONTROL, PAUSE));
  const allowance = { total: 500, used: 120, left: 380, source: 'zoho' } as const;
  await engine.store.document<RememberedAllowance>('allowance').change((_, atMs) => ({ atMs, allowance }));
  const app = createMonitoring({ engine, queue, calls: createCallMetrics() });
  return (await (await app.request('/metrics')).text()).split('\n');
}
