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
import { runFile } from './run.js';
import type { RunReport } from './run-summary.js';
import { sandboxEnvironment } from './sandbox.js';
import { sessionOf, withEngine } from './session.js';
import { note, printResult } from './terminal.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/accounts.csv', import.meta.url));
const LATENCY_MS = [20, 60] as const;
/** Quick, and still slow enough to be watched. */
const RATE_PER_SECOND = '100';

/** `quickstart`: the code of `run` on the bundled example, against a sandbox, in a store that is gone afterwards. */
export function define(command: Command): Run {
  example(command, 'npm run quickstart');
  return quickstart;
}

async function quickstart(): Promise<number> {
  note('quickstart: a stand-in for Zoho on this machine, a store that is thrown away, and the bundled example');
  const sandbox = await startSandbox({ latencyMs: LATENCY_MS });
  const dataDir = await mkdtemp(join(tmpdir(), 'zia-quickstart-'));
  try {
    const config = loadConfig({
      ...sandboxEnvironment(sandbox.url),
      ZIA_DATA_DIR: dataDir,
      ZIA_RATE_LIMIT_PER_SECOND: RATE_PER_SECOND,
      ZIA_MAX_IN_FLIGHT: '10',
      ZIA_RESULT_POLL_MS: '500',
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
  return withEngine(config, { kind: 'batch', isShort: true }, async (opened) => {
    const out = resolve(typedPath('quickstart.zia.csv'));
    const rejects = resolve(typedPath('quickstart.rejects.csv'));
    const report = await runFile(sessionOf(opened, account), EXAMPLE, { out, rejects });
    if (report.export === null) {
      note('Stopped before the end: no results were written. The same command starts anew.');
      return opened.shutdown.received === null ? EXIT.failed : signalExitCode(opened.shutdown.received);
    }
    const surprises = await surprisesIn(report, sandbox, out);
    printResult(false, null, () => summary(report, out));
    for (const surprise of surprises) note(`unexpected: ${surprise}`);
    return surprises.length === 0 ? EXIT.done : EXIT.failed;
  });
}

/** What did not end as it should: the example's first column says what is to become of each row. */
async function surprisesIn({ enqueue }: RunReport, sandbox: Sandbox, out: string): Promise<readonly string[]> {
  if (enqueue === null) throw new Error('The example is enqueued.');
  const { records, enrichments, surprises } = await readBack(out);
  const numbers: readonly (readonly [what: string, actual: number, expected: number])[] = [
    ['records in the export', records, enqueue.rows],
    ['different enrichments in the export', enrichments, enqueue.enqueued],
    ['submissions the sandbox accepted', sandbox.enrichments().length, enqueue.enqueued],
  ];
  const wrong = numbers.filter(([, actual, expected]) => actual !== expected);
  return [...wrong.map(([what, actual, expected]) => `${actual} ${what} instead of ${expected}`), ...surprises];
}

interface ReadBack {
  readonly records: number;
  readonly enrichments: number;
  readonly surprises: readonly string[];
}

async function readBack(out: string): Promise<ReadBack> {
  const source = await openCsv(out);
  const at = (header: string) => source.headers.indexOf(header);
  const [expectedAt, statusAt, idAt, notesAt, websiteAt] = [
    at('Expected'),
    at('zia_status'),
    at('zia_enrichment_id'),
    at('zia_notes'),
    at('zia_website'),
  ];
  const ids = new Set<string>();
  const surprises: string[] = [];
  try {
    for await (const batch of source.batches()) {
      for (const { cells, lineNumber } of batch) {
        const repeats = cells[notesAt]?.startsWith('repeats line') ?? false;
        const outcome = repeats ? 'duplicate' : cells[statusAt];
        if (outcome !== cells[expectedAt])
          surprises.push(`line ${lineNumber} is ${outcome} instead of ${cells[expectedAt]}`);
        if ((cells[statusAt] === 'enriched') !== Boolean(cells[websiteAt]))
          surprises.push(`line ${lineNumber} is ${cells[statusAt]}, which does not go with its enriched columns`);
        if (cells[idAt]) ids.add(cells[idAt]);
      }
    }
    return { records: source.rowCount, enrichments: ids.size, surprises };
  } finally {
    await source.close();
  }
}

function summary({ enqueue, export: exported }: RunReport, out: string): string {
  return [
    `Read      ${EXAMPLE}`,
    `Wrote     ${out}`,
    ...(enqueue?.rejectsFile ? [`Rejects   ${enqueue.rejectsFile}`] : []),
    ...(exported === null ? [] : [fileTable(exported.counts)]),
    'With your own account and file: `npm run login`, then `npm start -- accounts.csv`.',
  ].join('\n');
}
