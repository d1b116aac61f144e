import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { arch, cpus, platform, totalmem } from 'node:os';
import type { Figure, Measured } from './figure.js';

/** What `npm run bench -- --json` writes. */
export interface Report {
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly measuredAt: string;
  readonly results: Readonly<Record<string, Measured>>;
}

export function machine(): Report['machine'] {
  return {
    processor: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    system: `${platform()} ${arch()}`,
  };
}

export function versions(redisVersion: string): Report['versions'] {
  const packages = ['bullmq', 'ioredis', 'got', 'csv-parse', '@electric-sql/pglite'];
  const versionOf = (name: string): string =>
    JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
  return {
    node: process.version,
    redis: redisVersion,
    ...Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
  };
}

/** A Markdown table: also easy to read in a terminal. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, goal, unit, spread, reached, from, embedded }) => [
    what,
    goal,
    `${short(spread.median)}${unit === '' ? '' : ` ${unit}`}`,
    embedded === undefined ? '' : short(embedded.median),
    spread.values.length > 1 ? `${short(spread.min)} to ${short(spread.max)}` : '',
    reached === null ? '' : reached ? 'yes' : '**no**',
    Object.entries(from)
      .map(([name, { median }]) => `${short(median)} ${name}`)
      .join(', '),
  ]);
  return [['what', 'goal', 'median', 'embedded', 'spread', 'reached', 'from (medians)'], Array(7).fill('---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** Writes a report over an earlier one, whose other benchmarks stay. */
export async function saveReport(path: string, report: Report): Promise<void> {
  const earlier = await readFile(path, 'utf8').catch(() => '{}');
  // Only this function writes these files.
  const { results = {} } = JSON.parse(earlier) as Partial<Report>;
  await writeFile(path, `${JSON.stringify({ ...report, results: { ...results, ...report.results } }, null, 1)}\n`);
}
