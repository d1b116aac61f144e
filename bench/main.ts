import { parseArgs } from 'node:util';
import { writeDocument } from './document.js';
import type { Benchmark, Measured, Sizes } from './figure.js';
import { embedded } from './figures/embedded.js';
import { enqueue } from './figures/enqueue.js';
import { enqueueMemory } from './figures/enqueue-memory.js';
import { exportRows } from './figures/export.js';
import { queueSize } from './figures/queue-size.js';
import { quickstart } from './figures/quickstart.js';
import { redis } from './figures/redis.js';
import { start } from './figures/start.js';
import { submit } from './figures/submit.js';
import { machine, type Report, saveReport, tableOf, versions } from './report.js';
import { withScene } from './scene.js';
import { QUICK, WHOLE, withSizes } from './sizes.js';

const BENCHMARKS: readonly Benchmark[] = [
  enqueue,
  enqueueMemory,
  submit,
  redis,
  queueSize,
  start,
  embedded,
  exportRows,
  quickstart,
];

const USAGE = `Usage: npm run bench -- [name...] [--quick] [--runs N] [--size name=N] [--json FILE]

Runs the program's commands against bare peers (bench/peers/) on a Redis and a sandbox of its own, and prints the figures.

${BENCHMARKS.map(({ name, summary }) => `  ${name.padEnd(16)}${summary}`).join('\n')}

  --quick        a minute or two: few rows, counts and memory tell, times do not
  --runs N       pairs of runs behind each figure (default ${WHOLE.runs})
  --size name=N  one size: ${Object.keys(WHOLE)
    .filter((name) => name !== 'runs')
    .join(', ')}; several numbers with commas
  --json FILE    write everything measured there; what it held of other benchmarks stays
  --document     write what docs/performance.json holds into docs/performance.md, and measure nothing

Exit code 0, or 1 when a figure that does not depend on the machine, a count or memory, is not reached.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    size: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    document: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  if (values.document) {
    await writeDocument();
    return 0;
  }
  const chosen = BENCHMARKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  if (chosen.length < positionals.length)
    throw new Error(`Benchmarks are: ${BENCHMARKS.map(({ name }) => name).join(', ')}.`);
  const sizes = sizesAsked();
  const results: Record<string, Measured> = {};
  let redisVersion = '';
  for (const benchmark of chosen) {
    console.error(`${benchmark.name} …`);
    results[benchmark.name] = await withScene({}, async (scene) => {
      redisVersion = /redis_version:(\S+)/.exec(await scene.redis.info('server'))?.[1] ?? '';
      return benchmark.run(sizes, scene);
    });
    console.error(tableOf(results[benchmark.name]?.figures ?? []));
  }
  const report: Report = {
    machine: machine(),
    versions: versions(redisVersion),
    measuredAt: new Date().toISOString(),
    results,
  };
  console.log(tableOf(Object.values(results).flatMap(({ figures }) => figures)));
  if (values.json !== undefined) await saveReport(values.json, report);
  return failures(results).length === 0 ? 0 : 1;
}

function sizesAsked(): Sizes {
  const changes = [...values.size, ...(values.runs === undefined ? [] : [`runs=${values.runs}`])];
  return withSizes(values.quick ? QUICK : WHOLE, changes);
}

/** Only what does not depend on the machine can fail. */
function failures(results: Readonly<Record<string, Measured>>) {
  return Object.values(results).flatMap(({ figures }) =>
    figures.filter(({ kind, reached }) => kind !== 'time' && reached === false),
  );
}

if (values.help) {
  console.log(USAGE);
} else {
  process.exitCode = await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  });
}
