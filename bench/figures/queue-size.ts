import { join } from 'node:path';
import { writeCompanies } from '../company-file.js';
import { type Benchmark, figureOf, type Series } from '../figure.js';
import { EMBEDDED, type Environment, type Scene } from '../scene.js';
import { spreadOf } from '../statistics.js';

const FILE_ROWS = 5_000;

type Question = 'enqueue' | 'status';
const QUESTIONS: readonly Question[] = ['enqueue', 'status'];

/** A queue of its own size, in a prefix of its own, so that all sizes can be measured in turn. */
interface Filled {
  readonly rows: number;
  readonly env: Environment;
  readonly seconds: Readonly<Record<Question, number[]>>;
}

/** Whether a row costs the same however many are queued already. */
export const queueSize: Benchmark = {
  name: 'queue-size',
  summary: 'time of enqueue and status of one file with more and more rows in the queue',
  async run({ runs, queued }, scene) {
    await scene.empty();
    const queues = await measured(scene, runs, queued, {});
    // The longest takes the embedded engine minutes to fill.
    const embedded = await measured(scene, runs, queued.slice(0, -1), EMBEDDED);
    return {
      figures: [
        ...QUESTIONS.map((question) => growth(question, queues)),
        ...QUESTIONS.map((question) => growth(question, embedded, ' on the embedded engine')),
      ],
      series: QUESTIONS.map((question) => chart(question, queues)),
    };
  },
};

async function measured(
  scene: Scene,
  runs: number,
  queued: readonly number[],
  engine: Environment,
): Promise<readonly Filled[]> {
  const nextFile = companiesFrom(scene);
  const queues: Filled[] = [];
  for (const rows of queued) {
    const name = `${engine === EMBEDDED ? 'embedded' : 'redis'}-${rows}`;
    const env = { ...engine, ZIA_PREFIX: name, ZIA_DATA_DIR: `.zia-${name}` };
    await scene.program(['enqueue', await nextFile(rows)], env);
    queues.push({ rows, env, seconds: { enqueue: [], status: [] } });
  }
  for (let run = 0; run < runs; run++) {
    const file = await nextFile(FILE_ROWS);
    for (const queue of run % 2 === 0 ? queues : queues.toReversed()) await ask(scene, file, queue);
  }
  return queues;
}

async function ask(scene: Scene, file: string, { env, seconds }: Filled): Promise<void> {
  const enqueued = await scene.program(['enqueue', file], env);
  const status = await scene.program(['status', file, '--json'], env);
  seconds.enqueue.push(enqueued.seconds);
  seconds.status.push(status.seconds);
}

function companiesFrom(scene: Scene): (rows: number) => Promise<string> {
  const file = join(scene.dir, 'companies.csv');
  let next = 1;
  return async (rows) => {
    await writeCompanies(file, rows, next);
    next += rows;
    return file;
  };
}

function growth(question: Question, queues: readonly Filled[], where = '') {
  const [small, large] = [queues[0], queues.at(-1)];
  if (small === undefined || large === undefined) throw new Error('Name at least one size of the queue.');
  const values = large.seconds[question].map((seconds, run) => seconds / (small.seconds[question][run] ?? Number.NaN));
  return figureOf({
    what: `${question} of ${FILE_ROWS.toLocaleString('en')} rows${where} with ${large.rows.toLocaleString('en')} rows in the queue, time against ${small.rows.toLocaleString('en')}`,
    unit: '',
    kind: 'time',
    limit: { atMost: 1.2 },
    values,
    from: Object.fromEntries(queues.map(({ rows, seconds }) => [`s at ${rows}`, seconds[question]])),
  });
}

function chart(question: Question, queues: readonly Filled[]): Series {
  return {
    question: `Does ${question} slow down when the queue is long?`,
    x: 'rows in the queue',
    y: `ms a row of ${question}`,
    lines: [
      {
        label: question,
        points: queues.map(({ rows, seconds }) => [rows, (spreadOf(seconds[question]).median * 1_000) / FILE_ROWS]),
      },
    ],
  };
}
