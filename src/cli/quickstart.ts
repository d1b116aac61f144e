import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { type Config, loadConfig, requireCredentials } from '../lib/config.js';
import { openCsv } from '../lib/csv/csv-source.js';
import { signalExitCode } from '../lib/shutdown.js';
import { type Sandbox, startSandbox } from '../sandbox/server.js';
import type { Run } from './command.js';
import { EXIT } from './exit-codes.js';
import { fileTable } from './file-table.js';
import { typedPath } from './input.js';
import { example } from './options.js';
import { type RunReport, runFile } from './run.js';
import { sandboxEnvironment } from './sandbox.js';
import { withEngine } from './session.js';
import { note } from './terminal.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/accounts.csv', import.meta.url));
const LATENCY_MS = [20, 60] as const;
/** Quick, and still slow enough to be watched. */
const RATE_PER_SECOND = '80';

/** `quickstart`: the code of `run` on the bundled example, against a sandbox, in a store that is gone afterwards. */
export function define(command: Command): Run {
  example(command, 'npm run quickstart');
  return quickstart;
}

async function quickstart(): Promise<number> {
  note('quickstart: a stand-in for Zoho on this machine, a store that is thrown away, and the bundled example');
  const sandbox = await startSandbox({ latencyMs: LATENCY_MS, ratePerSecond: Number(RATE_PER_SECOND) });
  const dataDir = await mkdtemp(join(tmpdir(), 'zia-quickstart-'));
  try {
    const config = loadConfig({
      ...sandboxEnvironment(sandbox.url),
      ZIA_DATA_DIR: dataDir,
      ZIA_RATE_LIMIT_PER_SECOND: RATE_PER_SECOND,
      ZIA_MAX_IN_FLIGHT: '10',
      LOG_LEVEL: process.env.LOG_LEVEL,
    });
    return await runExample(config, sandbox);
  } finally {
    await sandbox.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function runExample(config: Config, sandbox: Sandbox): Promise<number> {
  const account = requireCredentials(config.zoho);
  return withEngine(config, 'batch', async (opened) => {
    const out = resolve(typedPath('quickstart.zia.csv'));
    const rejects = resolve(typedPath('quickstart.rejects.csv'));
    const report = await runFile({ ...opened, account }, EXAMPLE, { out, rejects });
    if (report.export === null) {
      return opened.shutdown.received === null ? EXIT.failed : signalExitCode(opened.shutdown.received);
    }
    const surprises = await surprisesIn(report, sandbox, out);
    process.stdout.write(`${summary(report, out)}\n`);
    for (const surprise of surprises) note(`unexpected: ${surprise}`);
    return surprises.length === 0 ? EXIT.done : EXIT.failed;
  });
}

/** What did not end as it should: each row in the export once, each accepted by the sandbox once or rejected with a reason. */
async function surprisesIn({ enqueue, work, export: exported }: RunReport, sandbox: Sandbox, out: string) {
  const surprises: string[] = [];
  const expect = (what: string, actual: number, wanted: number) => {
    if (actual !== wanted) surprises.push(`${what}: ${actual} instead of ${wanted}`);
  };
  const counts = exported?.counts ?? null;
  const { rows, rejected, enqueued } = enqueue;
  expect(
    'rows with a place at Zoho',
    counts === null ? 0 : counts.submitted + counts.enriched + counts.notFound,
    rows - rejected,
  );
  expect('rejected rows', counts?.rejected ?? 0, rejected);
  expect('rows submitted', work.submitted, enqueued);
  expect('rows the sandbox accepted', sandbox.enrichments().length, enqueued);
  const written = await readBack(out);
  expect('records in the export', written.records, rows);
  expect('different enrichments in the export', written.enrichments, enqueued);
  return surprises;
}

async function readBack(out: string): Promise<{ readonly records: number; readonly enrichments: number }> {
  const source = await openCsv(out);
  try {
    const column = source.headers.indexOf('zia_enrichment_id');
    const ids = new Set<string>();
    for await (const batch of source.batches()) {
      for (const { cells } of batch) ids.add(cells[column] ?? '');
    }
    ids.delete('');
    return { records: source.rowCount, enrichments: ids.size };
  } finally {
    await source.close();
  }
}

function summary({ enqueue, export: exported }: RunReport, out: string): string {
  return [
    `Read      ${EXAMPLE}`,
    `Wrote     ${out}`,
    ...(enqueue.rejectsFile === null ? [] : [`Rejects   ${enqueue.rejectsFile}`]),
    ...(exported === null ? [] : [fileTable(exported.counts)]),
    'With your own file and account: put your credentials into .env, then `npm start -- accounts.csv`.',
  ].join('\n');
}
