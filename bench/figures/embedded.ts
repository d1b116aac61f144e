import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningCli, startCli } from '../../test/support/cli.js';
import { waitFor } from '../../test/support/wait.js';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, figureOf } from '../figure.js';
import { EMBEDDED, type Scene, withZoho, type Zoho } from '../scene.js';
import { repeated } from '../statistics.js';
import { noLimits, submitted } from './submit.js';

/** Long enough for the garbage of the start to be collected. */
const IDLE_MS = 5_000;

/** The embedded engine: how long until it answers, and what it takes to keep it. */
export const embedded: Benchmark = {
  name: 'embedded',
  summary: 'embedded engine: rows submitted, first start, later starts, memory of an idle host',
  async run({ runs, embeddedRows }, scene) {
    const first: number[] = [];
    const later: number[] = [];
    for (let run = 0; run < runs; run++) {
      await rm(join(scene.dir, '.zia'), { recursive: true, force: true });
      first.push(await status(scene));
      later.push(await status(scene));
    }
    const idle: number[] = [];
    // One stand-in for all runs: a store belongs to one account.
    await withZoho(scene, [], async (zoho) => {
      for (let run = 0; run < runs; run++) idle.push(await idleBytes(scene, zoho));
    });
    const file = join(scene.dir, 'companies.csv');
    await writeCompanies(file, embeddedRows);
    const load = { rows: embeddedRows, embeddedRows, latencyMs: 0, inFlight: 20, settings: noLimits(20) };
    return {
      figures: [
        figureOf({
          what: 'embedded engine, rows submitted with no latency',
          unit: 'rows/s',
          kind: 'time',
          limit: { atLeast: 400 },
          values: await repeated(runs, () => submitted(scene, file, load, EMBEDDED)),
        }),
        figureOf({
          what: 'embedded engine, first start (status)',
          unit: 's',
          kind: 'time',
          limit: null,
          values: first,
        }),
        figureOf({
          what: 'embedded engine, later start (status)',
          unit: 's',
          kind: 'time',
          limit: { atMost: 0.8 },
          values: later,
        }),
        figureOf({
          what: 'embedded engine, memory of an idle worker that hosts it',
          unit: 'MB',
          kind: 'memory',
          limit: null,
          values: idle.map((bytes) => bytes / 1_000_000),
        }),
      ],
    };
  },
};

function status(scene: Scene): Promise<number> {
  return scene.plain('program', ['status', '--engine', 'embedded'], EMBEDDED);
}

async function idleBytes({ dir }: Scene, zoho: Zoho): Promise<number> {
  const worker = startCli(['worker'], { cwd: dir, env: zoho.env });
  try {
    await waitFor(() => hasStarted(worker), { what: 'the worker', timeoutMs: 60_000 });
    await sleep(IDLE_MS);
    const text = await readFile(`/proc/${worker.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]) * 1_024;
  } finally {
    worker.child.kill('SIGTERM');
    await worker.ended;
  }
}

function hasStarted({ child, stderr }: RunningCli): boolean {
  if (child.exitCode !== null) throw new Error(`The worker ended with code ${child.exitCode}: ${stderr()}`);
  return stderr().includes('worker.started');
}
