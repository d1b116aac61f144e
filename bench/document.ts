import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chartOf } from './chart.js';
import type { Series } from './figure.js';
import { type Report, tableOf } from './report.js';

const REPORT = 'docs/performance.json';
const DOCUMENT = 'docs/performance.md';
const MARKED = /(<!-- figures -->\n)[\s\S]*(<!-- end of figures -->)/;

/** Writes the table of docs/performance.json into docs/performance.md, between its marks, and the charts beside it. */
export async function writeDocument(): Promise<void> {
  const report = JSON.parse(await readFile(REPORT, 'utf8')) as Report; // written by `saveReport`
  const charts = chartsOf(report);
  await mkdir('docs/images', { recursive: true });
  for (const series of charts) await writeFile(join('docs', imageOf(series)), chartOf(series));
  const text = await readFile(DOCUMENT, 'utf8');
  if (!MARKED.test(text)) throw new Error(`${DOCUMENT} has no place for the figures.`);
  await writeFile(
    DOCUMENT,
    text.replace(MARKED, (_all, start, end) => `${start}\n${figuresText(report)}\n\n${end}`),
  );
}

/** What the document says of a report. */
export function figuresText(report: Report): string {
  return [
    `Measured ${report.measuredAt.slice(0, 10)} on ${listed(report.machine)}; ${listed(report.versions)}.`,
    tableOf(Object.values(report.results).flatMap(({ figures }) => figures)),
    ...chartsOf(report).map((series) => `![${series.question}](${imageOf(series)})`),
  ].join('\n\n');
}

function chartsOf(report: Report): readonly Series[] {
  return Object.values(report.results).flatMap(({ series = [] }) => series);
}

function imageOf({ question }: Series): string {
  const name = question
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, '-')
    .replace(/-$/, '');
  return `images/bench-${name}.svg`;
}

function listed(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
