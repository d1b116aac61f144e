import { join } from 'node:path';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, type Figure, figureOf } from '../figure.js';
import { EMBEDDED, type Environment, type Peer, type Scene, withZoho, type Zoho } from '../scene.js';
import { paired, repeated, spreadOf } from '../statistics.js';

/** No pace, and no results collected meanwhile: the peers do none of it. */
const NO_PACE: Environment = { ZIA_RATE_LIMIT_PER_SECOND: '100000', ZIA_RESULT_POLL_MS: '86400000' };
/** With fewer, both workers spend a part of the time waiting for Redis to write to its disk. */
const MANY = 50;
const FEW = 20;
/** Calls in flight at 200 ms, with the default concurrency. */
const SLOW = [5, 10, 20];

/** How fast jobs become calls. */
export const submit: Benchmark = {
  name: 'submit',
  summary: 'rows per second of one worker against a bare BullMQ worker and a bare loop, without latency and at 200 ms',
  async run({ runs, submitRows, slowRows, embeddedRows }, scene) {
    const many = { rows: submitRows, embeddedRows, latencyMs: 0, inFlight: MANY, settings: noLimits(MANY) };
    const few = { ...many, inFlight: FEW, settings: noLimits(FEW) };
    const figures = [
      await against('bare-worker', many, 0.9, runs, scene),
      await against('bare-worker', few, 0.85, runs, scene),
      await against('bare-loop', few, null, runs, scene),
    ];
    for (const inFlight of SLOW) {
      const rows = Math.ceil((slowRows * inFlight) / Math.max(...SLOW));
      const settings = { ...NO_PACE, ZIA_MAX_IN_FLIGHT: String(inFlight) };
      const slow = { rows, embeddedRows: rows, latencyMs: 200, inFlight, settings };
      figures.push(await against('bare-loop', slow, 0.97, runs, scene));
    }
    return { figures };
  },
};

/** The places of the fleet out of the way too. */
export function noLimits(rowsInWork: number): Environment {
  return { ...NO_PACE, ZIA_MAX_IN_FLIGHT: '250', ZIA_WORKER_CONCURRENCY: String(rowsInWork) };
}

interface Load {
  readonly rows: number;
  readonly embeddedRows: number;
  readonly latencyMs: number;
  /** Calls in flight at once, ours and the peer's. */
  readonly inFlight: number;
  readonly settings: Environment;
}

async function against(
  name: 'bare-worker' | 'bare-loop',
  load: Load,
  atLeast: number | null,
  runs: number,
  scene: Scene,
): Promise<Figure> {
  const file = join(scene.dir, 'companies.csv');
  await writeCompanies(file, load.rows);
  const pairs = await paired(
    runs,
    () => submitted(scene, file, load),
    () => submittedBy(name, scene, file, load),
  );
  await writeCompanies(file, load.embeddedRows);
  const embedded = await repeated(runs, () => submitted(scene, file, { ...load, rows: load.embeddedRows }, EMBEDDED));
  const peerRate = spreadOf(pairs.map(({ peer }) => peer)).median;
  const peerName = name === 'bare-worker' ? 'a bare BullMQ worker' : 'the bare loop';
  const latency = load.latencyMs === 0 ? 'no latency' : `${load.latencyMs} ms latency`;
  return figureOf({
    what: `submit with ${latency} and ${load.inFlight} in flight, rows per second against ${peerName}`,
    unit: '',
    kind: 'time',
    limit: atLeast === null ? null : { atLeast },
    values: pairs.map(({ ours, peer }) => ours / peer),
    embedded: embedded.map((ours) => ours / peerRate),
    from: {
      'rows/s': pairs.map(({ ours }) => ours),
      'embedded rows/s': embedded,
      'peer rows/s': pairs.map(({ peer }) => peer),
    },
  });
}

/** Rows per second of one worker of the program. */
export async function submitted(scene: Scene, file: string, load: Load, engine: Environment = {}): Promise<number> {
  await scene.empty();
  await scene.program(['enqueue', file], engine);
  return rate(scene, load, (zoho) =>
    scene.program(['worker', '--until-idle', '--no-wait'], { ...zoho.env, ...load.settings, ...engine }),
  );
}

async function submittedBy(name: Peer, scene: Scene, file: string, load: Load): Promise<number> {
  await scene.empty();
  if (name === 'bare-worker') await scene.peer('bare-enqueue', [file]);
  const first = name === 'bare-worker' ? String(load.rows) : file;
  return rate(scene, load, (zoho) => scene.peer(name, [first, String(load.inFlight)], zoho.env));
}

/** Rows per second as Zoho's stand-in sees them: starting and ending a process is measured elsewhere. */
async function rate(scene: Scene, load: Load, work: (zoho: Zoho) => Promise<unknown>): Promise<number> {
  return withZoho(scene, ['--latency', String(load.latencyMs)], async (zoho) => {
    await work(zoho);
    const { count, seconds } = await zoho.submissions();
    if (count !== load.rows) throw new Error(`${count} of ${load.rows} rows were accepted.`);
    return count / seconds;
  });
}
