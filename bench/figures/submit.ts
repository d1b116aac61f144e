import { join } from 'node:path';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, type Figure, figureOf } from '../figure.js';
import { type Environment, type Peer, type Scene, withZoho, type Zoho } from '../scene.js';
import { paired } from '../statistics.js';

/** No pace, and no results collected meanwhile: the peers do none of it. */
const NO_PACE: Environment = { ZIA_RATE_LIMIT_PER_SECOND: '100000', ZIA_RESULT_POLL_MS: '86400000' };
/** With fewer, both workers spend a part of the time waiting for Redis to write to its disk. */
const MANY = 50;
const FEW = 20;
/** As `docs/configuration.md` advises: the next row is at hand when a place becomes free. */
const SPARE = 5;

/** How fast jobs become calls. */
export const submit: Benchmark = {
  name: 'submit',
  summary: 'rows per second of one worker against a bare BullMQ worker and a bare loop, without latency and at 200 ms',
  async run({ runs, submitRows, slowRows }, scene) {
    const fast = { rows: submitRows, latencyMs: 0, inFlight: MANY, settings: noLimits(MANY) };
    const slow = {
      ...{ rows: slowRows, latencyMs: 200, inFlight: FEW },
      settings: { ...NO_PACE, ZIA_MAX_IN_FLIGHT: String(FEW), ZIA_WORKER_CONCURRENCY: String(FEW + SPARE) },
    };
    return {
      figures: [
        await against('bare-worker', fast, 0.85, runs, scene),
        await against('bare-worker', { ...fast, inFlight: FEW, settings: noLimits(FEW) }, null, runs, scene),
        await against('bare-loop', fast, null, runs, scene),
        await against('bare-loop', slow, 0.97, runs, scene),
      ],
    };
  },
};

/** The places of the fleet out of the way too. */
function noLimits(rowsInWork: number): Environment {
  return { ...NO_PACE, ZIA_MAX_IN_FLIGHT: '250', ZIA_WORKER_CONCURRENCY: String(rowsInWork) };
}

interface Load {
  readonly rows: number;
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
  const peerName = name === 'bare-worker' ? 'a bare BullMQ worker' : 'the bare loop';
  const latency = load.latencyMs === 0 ? 'no latency' : `${load.latencyMs} ms latency`;
  return figureOf({
    what: `submit with ${latency} and ${load.inFlight} in flight, rows per second against ${peerName}`,
    unit: '',
    kind: 'time',
    limit: atLeast === null ? null : { atLeast },
    values: pairs.map(({ ours, peer }) => ours / peer),
    from: { 'rows/s': pairs.map(({ ours }) => ours), 'peer rows/s': pairs.map(({ peer }) => peer) },
  });
}

async function submitted(scene: Scene, file: string, load: Load): Promise<number> {
  await scene.empty();
  await scene.program(['enqueue', file]);
  return rate(scene, load, (zoho) => scene.program(['worker', '--until-idle'], { ...zoho.env, ...load.settings }));
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
