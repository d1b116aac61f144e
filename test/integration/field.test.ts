import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import pLimit from 'p-limit';
import { checkText } from '../../src/producers/check-text.js';
import { type CliResult, cli } from '../support/cli.js';
import { testRedisUrl } from '../support/engines.js';
import { FIELD_FOLDER, type FieldFile, type FieldFlags, sendFieldFile } from '../support/field-file.js';
import { withScratch } from '../support/scratch.js';
import { bySuite, testIn } from '../support/suite.js';

jest.setTimeout(60_000);

/** What must come of a file: what `plan --json` says, and what Zoho's stand-in accepted. */
interface Expected {
  /** Code of the refusal by `plan`; or by `enqueue`, when there is a plan. */
  readonly refused?: string;
  readonly encoding?: string;
  readonly delimiter?: string;
  readonly headerLine?: number;
  readonly columns?: Readonly<Record<string, string>>;
  readonly new?: number;
  readonly repeated?: number;
  readonly rejects?: Readonly<Record<string, number>>;
  /** Code, fields and count. */
  readonly findings?: readonly string[];
  readonly accepted?: FieldFile['accepted'];
}

const EXPECTED: Readonly<Record<string, Expected>> = JSON.parse(
  readFileSync(join(FIELD_FOLDER, 'expected.json'), 'utf8'),
);
const NAMES = readdirSync(FIELD_FOLDER).flatMap((name) => (name.endsWith('.csv') ? [name.slice(0, -4)] : []));
/** Files that the built program is started for; a process for each takes half a minute. */
const BY_COMMAND = bySuite(
  NAMES.filter((_, at) => at % 10 === 0),
  NAMES.filter((_, at) => at % 10 !== 0),
);

const pathOf = (name: string) => join(FIELD_FOLDER, `${name}.csv`);
const send = (name: string, flags?: FieldFlags) => sendFieldFile(pathOf(name), flags);

function told({ plan, refusal, accepted }: FieldFile): Expected {
  const refused = refusal === null ? {} : { refused: refusal.code };
  if (plan === null) return refused;
  const { encoding, delimiter, headerLine, columns, findings } = plan.input;
  return {
    ...refused,
    encoding,
    delimiter,
    headerLine,
    columns: Object.fromEntries(
      Object.entries(columns).flatMap(([field, column]) => (column === null ? [] : [[field, column.header]])),
    ),
    new: plan.enqueued,
    repeated: plan.duplicates,
    rejects: plan.rejects,
    findings: findings.map(({ code, count, fields = [] }) => [code, ...fields, count].join(' ')),
    accepted,
  };
}

/** `plan --json` of the built program. */
function plan(folder: string, words: readonly string[]): Promise<CliResult> {
  return cli(['plan', ...words, '--json'], {
    cwd: folder,
    env: { REDIS_URL: testRedisUrl(), ZIA_PREFIX: 'test-field-plan' },
  });
}

describe('files as people have them', () => {
  const files = new Map<string, FieldFile>();
  /** What the built program said of it. */
  const commands = new Map<string, CliResult>();
  /** What became of a file that was sent as it is. */
  const sent = (name: string): FieldFile => {
    const file = files.get(name);
    if (file === undefined) throw new Error(`There is no file ${name}.`);
    return file;
  };

  beforeAll(async () => {
    const limit = pLimit(8);
    const read = [...new Set(bySuite(NAMES, BY_COMMAND))];
    await Promise.all(read.map((name) => limit(async () => files.set(name, await send(name)))));
    await withScratch(async (folder) => {
      const two = pLimit(2);
      await Promise.all(
        BY_COMMAND.map((name) => two(async () => commands.set(name, await plan(folder, [pathOf(name)])))),
      );
    });
  });

  testIn.short('each has its line in the README, and what is expected of it', async () => {
    const readme = await readFile(join(FIELD_FOLDER, 'README.md'), 'utf8');
    expect(NAMES.length).toBeGreaterThan(35);
    expect(NAMES.filter((name) => !readme.includes(name))).toEqual([]);
    expect(Object.keys(EXPECTED).sort()).toEqual([...NAMES].sort());
  });

  testIn.short.each(NAMES)('%s: what plan says and what Zoho accepted', (name) => {
    expect(told(sent(name))).toEqual(EXPECTED[name]);
  });

  testIn.short.each(NAMES)('%s: no record vanishes, and what is planned is what is queued and accepted', (name) => {
    const { plan, report, accepted } = sent(name);
    if (plan === null || report === null) {
      expect(accepted).toEqual([]);
      return;
    }
    const { rows, enqueued, duplicates, known, rejected } = plan;
    expect(report).toMatchObject({ rows, enqueued, duplicates, known, rejected, input: plan.input });
    expect(enqueued + duplicates + known + rejected).toBe(rows);
    expect(Object.values(plan.rejects).reduce((sum, count) => sum + count, 0)).toBe(rejected);
    expect(accepted).toHaveLength(enqueued);
  });

  test.each(BY_COMMAND)('%s: plan --json of the built program prints that document, or the refusal alone', (name) => {
    const { plan, refusal } = sent(name);
    const command = commands.get(name);
    // A file of which only queueing is refused has a plan.
    const told = plan === null ? '' : { ...plan, file: pathOf(name) };
    const printed = command?.stdout === '' ? '' : JSON.parse(command?.stdout ?? '');
    expect([command?.code, printed]).toEqual([plan === null ? 2 : 0, told]);
    if (plan === null) expect(command?.stderr).toContain(refusal?.message);
  });

  testIn.short.each([
    ['cp1251', '--encoding', 'windows-1251', { enqueued: 1, rejected: 1, input: { encoding: 'windows-1251' } }],
    ['dedupe_contacts', '--one-per', 'website', { enqueued: 1, duplicates: 7 }],
    ['dup_headers', '--map', 'website=#2', { input: { columns: { website: { header: 'Website', index: 1 } } } }],
    ['title_rows', '--header-line', '4', { enqueued: 1, rejected: 0, input: { headerLine: 4 } }],
  ])('%s: plan --json of the built program with %s %s', async (name, flag, value, told) => {
    await withScratch(async (folder) => {
      const { code, stdout } = await plan(folder, [pathOf(name), flag, value]);
      expect([code, JSON.parse(stdout)]).toMatchObject([0, told]);
    });
  });

  testIn.short.each([
    ['title_rows', 'Line 4'],
    ['no-header', 'Line 1'],
    ['swapped', 'The columns of name and email and website'],
  ])('%s: refused with exit code 2 and a sentence that begins with %j', (name, words) => {
    expect(sent(name).refusal).toMatchObject({ exitCode: 2, message: expect.stringContaining(words) });
  });

  testIn.short('title_rows: --header-line 4 takes the header', async () => {
    const { accepted } = await send('title_rows', { headerLine: 4 });
    expect(accepted).toEqual([{ name: 'Fernhill Press', website: 'fernhill-press.example' }]);
  });

  testIn.short('no-header: nothing is paid under a company as header, also for a mapping by position', async () => {
    const { refusal, accepted } = await send('no-header', { map: ['name=#1'] });
    expect([refusal?.code, accepted]).toEqual(['NO_HEADER', []]);
  });

  testIn.short('swapped: --map sends what it names', async () => {
    const { accepted } = await send('swapped', { map: ['name=#2', 'website=#3', 'email=#1'] });
    expect(accepted).toHaveLength(20);
    expect(accepted[0]).toEqual({ name: 'Firm 0 AG', email: 'info@firm0.example', website: 'www.firm0.example' });
  });

  testIn.short('cp1251: the encoding said is the same as the one found', async () => {
    const { accepted, plan } = await send('cp1251', { encoding: 'windows-1251' });
    expect([plan, accepted]).toEqual([sent('cp1251').plan, sent('cp1251').accepted]);
  });

  testIn.short('dedupe_contacts: --one-per website sends one row of each company', async () => {
    const { plan, accepted } = await send('dedupe_contacts', { onePer: 'website' });
    expect([plan?.enqueued, plan?.duplicates, accepted.length]).toEqual([1, 7, 1]);
    expect(sent('dedupe_contacts').plan?.input.findings).toMatchObject([{ code: 'ONE_COMPANY', companies: 1 }]);
  });

  testIn.short('dup_headers: --map website=#2 takes the empty column', async () => {
    const { plan, accepted } = await send('dup_headers', { map: ['website=#2'] });
    expect(plan?.input.columns.website).toEqual({ header: 'Website', index: 1, from: 'flag' });
    expect(accepted.map(({ website }) => website)).toEqual([undefined, undefined]);
  });

  testIn.short(
    'mixed_encoding: what was sent is what mixed_encoding_base sends, and the export has the input’s own bytes',
    async () => {
      expect(sent('mixed_encoding').accepted).toEqual(sent('mixed_encoding_base').accepted);
      const lines = (bytes: Buffer) => bytes.toString('latin1').trimEnd().split('\n');
      const own = lines(await readFile(pathOf('mixed_encoding')));
      const exported = lines(sent('mixed_encoding').exported ?? Buffer.alloc(0));
      expect(exported.map((line, at) => line.slice(0, (own[at] ?? '').length + 1))).toEqual(
        own.map((line) => `${line},`),
      );
    },
  );

  testIn.short('zoho_contacts: the module is told beside the record id column', () => {
    const { plan } = sent('zoho_contacts');
    if (plan === null) throw new Error('There is no plan.');
    expect(checkText(plan, 'Accounts')).toContain('record id from "Record Id" (module Accounts)');
  });
});

describe('record ids', () => {
  testIn.short('one id on different companies rejects all of them, on one company it is the same row', () =>
    withScratch(async (scratch) => {
      const id = (end: string) => `57257670000004100${end}`;
      const path = join(scratch, 'ids.csv');
      const lines = [
        ['Fernhill Press', 'fernhill.example', id('69')],
        ['Quarry Lane', 'quarry.example', id('69')],
        ['Heron Ltd', 'heron.example', id('70')],
        ['Heron Limited', 'www.heron.example/en', id('70')],
        ['Saltmarsh', 'saltmarsh.example', id('71')],
      ];
      await writeFile(path, ['Company,Website,Record Id', ...lines.map((cells) => cells.join())].join('\n'));
      const { plan, accepted } = await sendFieldFile(path);
      expect([plan?.rejects, plan?.duplicates]).toEqual([{ SHARED_RECORD_ID: 2 }, 1]);
      expect(accepted.map(({ name }) => name)).toEqual(['Heron Ltd', 'Saltmarsh']);
    }),
  );
});
