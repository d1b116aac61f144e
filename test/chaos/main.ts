import { parseArgs } from 'node:util';
import type { ChaosEngine } from './fleet-under-test.js';
import { isClean } from './judge.js';
import { runSeed, type SeedResult } from './run-seed.js';
import type { TopologyKind } from './topologies.js';

const USAGE = `Usage: npm run chaos -- [--seeds N] [--rows N] [--engine redis|embedded] [--first SEED] [--seconds N] [--budget N] [--losing] [--topology sentinel|cluster] [--only TEXT] [--json]

Runs the fleet while everything goes wrong, and counts what Zoho's stand-in saw. A seed decides what happens when.

  --seeds N     how many runs (default 5)
  --rows N      rows a run (default 500)
  --engine E    redis (default) or embedded
  --first N     the first seed (default 1)
  --seconds N   how long things go wrong in each run (default 25)
  --budget N    so many rows may be submitted until the fleet stops; then the rest follows
  --losing      the store loses writes as well: it comes back on older copies, a lagging replica is promoted, Redis is emptied
  --topology T  sentinel or cluster: Redis with a replica, and failovers, planned and not
  --only TEXT   only what goes wrong under a name that holds this text
  --json        one JSON document instead of the table
  --verbose     tell on stderr what goes wrong when

Exit code 0 when no row was lost, accepted twice, failed or held in any run, no budget was exceeded, and the fleet came back to its pace; 1 otherwise.`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '500' },
    engine: { type: 'string', default: 'redis' },
    first: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '25' },
    budget: { type: 'string' },
    losing: { type: 'boolean', default: false },
    topology: { type: 'string' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const engine = values.engine === 'embedded' ? 'embedded' : ('redis' satisfies ChaosEngine);
  const results: SeedResult[] = [];
  if (!values.json) console.log(tableLine(COLUMNS.map(([title]) => title)));
  for (let seed = Number(values.first); seed < Number(values.first) + Number(values.seeds); seed++) {
    const result = await runSeed({
      engine,
      seed,
      rows: Number(values.rows),
      troubleMs: Number(values.seconds) * 1_000,
      healMs: 240_000,
      losing: values.losing,
      topology: topologyOf(values.topology),
      only: values.only,
      ...(values.budget !== undefined && { budget: Number(values.budget) }),
      onMishap: (name) => values.verbose && console.error(`seed ${seed}: ${name}`),
    });
    results.push(result);
    if (!values.json) console.log(tableLine(COLUMNS.map(([, of]) => of(result))));
  }
  if (values.json) console.log(JSON.stringify(results));
  return results.every(isClean) ? 0 : 1;
}

function topologyOf(name: string | undefined): TopologyKind | undefined {
  if (name === undefined || name === 'sentinel' || name === 'cluster') return name;
  throw new Error(`There is no topology ${name}: sentinel or cluster.`);
}

const COLUMNS: readonly (readonly [string, (result: SeedResult) => string | number])[] = [
  ['engine', ({ engine }) => engine],
  ['seed', ({ seed }) => seed],
  ['rows', ({ rows }) => rows],
  ['accepted once', ({ acceptedOnce }) => acceptedOnce],
  ['accepted twice', ({ acceptedTwice }) => acceptedTwice],
  ['lost', ({ lost }) => lost],
  ['failed wrongly', ({ failedWrongly }) => failedWrongly],
  ['held', ({ held }) => held],
  ['misreported', ({ misreported }) => misreported],
  ['over budget', ({ overBudget }) => overBudget],
  ['pace after', ({ pace }) => pace],
  ['mishaps', ({ mishaps }) => Object.values(mishaps).reduce((sum, count) => sum + count, 0)],
  ['seconds', ({ seconds }) => seconds],
];

function tableLine(cells: readonly (string | number)[]): string {
  return cells.map((cell, index) => String(cell).padStart(COLUMNS[index]?.[0].length ?? 0)).join('  ');
}

if (values.help) {
  console.log(USAGE);
} else {
  process.exitCode = await main();
}
