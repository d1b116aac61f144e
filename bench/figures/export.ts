import { join } from 'node:path';
import type { EnrichmentId, IdentityKey } from '../../src/lib/core/ids.js';
import type { LedgerEntry } from '../../src/lib/core/ledger.js';
import { openCsv } from '../../src/lib/csv/csv-source.js';
import { resolveColumns } from '../../src/lib/csv/resolve-columns.js';
import { readRows } from '../../src/lib/csv/row-reader.js';
import { openEngine } from '../../src/lib/engine/open-engine.js';
import { createLogger } from '../../src/lib/logger.js';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, figureOf } from '../figure.js';
import { EMBEDDED, type Environment, type Scene } from '../scene.js';
import { paired, repeated } from '../statistics.js';

/** A result as Zoho documents it, with the fields most companies have. */
const FOUND = {
  name: 'Company Ltd',
  website: 'https://www.company.example',
  description: [{ title: 'About', description: 'Makes and sells what a company of its size sells, in nine cities.' }],
  no_of_employees: '120',
  industries: [{ name: 'Transport' }, { name: 'Logistics' }],
  address: [{ city: 'Austin', state: 'Texas', country: 'United States' }],
};

/** How fast a finished file is written. */
export const exportRows: Benchmark = {
  name: 'export',
  summary: 'rows per second of an export of enriched rows against csv-parse piped into csv-stringify',
  async run({ runs, exportRows: rows, embeddedRows }, scene) {
    const file = join(scene.dir, 'companies.csv');
    const out = join(scene.dir, 'out.csv');
    await writeCompanies(file, rows);
    await finish(scene, file, {});
    const pairs = await paired(
      runs,
      () => scene.program(['export', file, '--out', out]),
      () => scene.peer('bare-copy', [file, out]),
    );
    const perSecond = (seconds: number) => rows / seconds;
    await writeCompanies(file, embeddedRows);
    await finish(scene, file, EMBEDDED);
    const embedded = await repeated(runs, () => scene.program(['export', file, '--out', out], EMBEDDED));
    return {
      figures: [
        figureOf({
          what: `export ${rows.toLocaleString('en')} enriched rows`,
          unit: 'rows/s',
          kind: 'time',
          limit: { atLeast: 50_000 },
          values: pairs.map(({ ours }) => perSecond(ours.seconds)),
          embedded: embedded.map(({ seconds }) => embeddedRows / seconds),
        }),
        figureOf({
          // Reading and writing alone: a slow machine may excuse fewer rows a second with half of this.
          what: 'the same against csv-parse piped into csv-stringify',
          unit: '',
          kind: 'time',
          limit: null,
          values: pairs.map(({ ours, peer }) => peer.seconds / ours.seconds),
          from: { 'copied rows/s': pairs.map(({ peer }) => perSecond(peer.seconds)) },
        }),
      ],
    };
  },
};

/** Every row of the file enqueued, accepted and enriched, as if it had been submitted long ago. */
async function finish(scene: Scene, file: string, environment: Environment): Promise<void> {
  await scene.empty();
  await scene.program(['enqueue', file], environment);
  const { REDIS_URL } = { ...scene.env, ...environment };
  const engine = await openEngine(
    {
      ...(REDIS_URL ? { redisUrl: REDIS_URL } : {}),
      dataDir: join(scene.dir, '.zia'),
      prefix: 'zia',
      queueName: 'zia-enrich',
    },
    createLogger({ level: 'error' }),
  );
  const source = await openCsv(file);
  try {
    const columns = await resolveColumns(source, [], engine.store);
    let number = 0;
    for await (const rows of readRows(source, { columns, module: 'Accounts' })) {
      const keys = rows.flatMap(({ key }) => (key === undefined ? [] : [key]));
      const entries = new Map<IdentityKey, LedgerEntry>();
      for (const { key, parsed } of rows) {
        if (key !== undefined && parsed.ok) entries.set(key, enriched(parsed.row, ++number));
      }
      await engine.store.importEntries(entries, new Map(keys.map((key) => [key, FOUND])));
    }
  } finally {
    await source.close();
    await engine.close();
  }
}

function enriched(sent: LedgerEntry['sent'], number: number): LedgerEntry {
  const atMs = 1_780_000_000_000 + number;
  return {
    state: 'scheduled',
    callId: `bench.${number}`,
    sentAtMs: atMs,
    sends: 1,
    sent,
    enrichmentId: String(5_725_767_000_000_000_000n + BigInt(number)) as EnrichmentId, // the form of Zoho's ids
    scheduledAtMs: atMs,
    finalStatus: 'COMPLETED',
    finishedAtMs: atMs,
  };
}
