import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { OnePer } from '../../src/lib/core/other-columns.js';
import type { CsvFlags } from '../../src/lib/csv/open-options.js';
import { withInput } from '../../src/lib/csv/with-input.js';
import { UsageError } from '../../src/lib/errors.js';
import type { EnqueueReport } from '../../src/producers/csv-producer.js';
import { enqueueFile } from '../../src/producers/enqueue-file.js';
import { planFile } from '../../src/producers/plan-file.js';
import { type Plan, planWithin } from '../../src/producers/plan-within.js';
import { exportFile } from '../../src/reports/export-file.js';
import type { SentValues } from '../../src/sandbox/effects.js';
import { openWorkScene } from './scene.js';
import { setup } from './setup.js';

/** Copies of files as people have them; their README says what must come of each. */
export const FIELD_FOLDER = fileURLToPath(new URL('../fixtures/field', import.meta.url));

export interface FieldFlags extends CsvFlags {
  readonly map?: readonly string[];
  readonly onePer?: OnePer;
}

/** What became of a file, from the look at it to what Zoho's stand-in accepted. */
export interface FieldFile {
  /** The document of `plan --json`; null when the file was refused. */
  readonly plan: Plan | null;
  readonly report: EnqueueReport | null;
  /** Why it was refused, by `plan` first, else by `enqueue`. */
  readonly refusal: UsageError | null;
  /** What was accepted, in the order of the file. */
  readonly accepted: readonly Omit<SentValues, 'module'>[];
  /** The export after all that; null when the file was refused. */
  readonly exported: Buffer | null;
}

/** Plans a file, queues it and works it off, in a store and with a sandbox of its own. */
export async function sendFieldFile(path: string, { map = [], onePer, ...csv }: FieldFlags = {}): Promise<FieldFile> {
  await using t = setup();
  const scene = await openWorkScene(t);
  const folder = t.closing(await mkdtemp(join(tmpdir(), 'zia-field-')), (made) => rm(made, { recursive: true }));
  const reading = { path, mapFlags: map, csv, module: 'Accounts', engine: scene.engine, onePer };
  const plan = await refusalOf(() =>
    planWithin(scene.engine, { ratePerSecond: 10 }, null, (covers) => planFile({ ...reading, covers })),
  );
  const rejectsPath = join(folder, 'rejects.csv');
  const report = await refusalOf(() => enqueueFile({ ...reading, queue: scene.queue, maxAttempts: 5, rejectsPath }));
  if (!(report instanceof UsageError) && report.enqueued > 0)
    await scene.workOff({ settings: { maxInFlight: 1, concurrency: 1 } });
  const exported = async () => {
    const out = join(folder, 'out.csv');
    await withInput(reading, (input) => exportFile({ ...input, out }));
    return readFile(out);
  };
  const refusal = [plan, report].find((one) => one instanceof UsageError);
  const sent = scene
    .posts()
    .flatMap(({ enrichmentId, sent: values }) => (enrichmentId === null || values === null ? [] : [values]));
  return {
    plan: plan instanceof UsageError ? null : plan,
    report: report instanceof UsageError ? null : report,
    refusal: refusal instanceof UsageError ? refusal : null,
    exported: refusal === undefined ? await exported() : null,
    accepted: sent.map(({ module: _module, ...values }) => values),
  };
}

async function refusalOf<T>(work: () => Promise<T>): Promise<T | UsageError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
}
