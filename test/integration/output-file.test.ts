import { chmod, lstat, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openCsv } from '../../src/lib/csv/csv-source.js';
import { createOutput } from '../../src/lib/output-file.js';
import { keepBetter } from '../../src/reports/keep-better.js';
import { resolveTarget } from '../../src/reports/write-file.js';
import { withScratch } from '../support/scratch.js';

const mode = async (path: string) => (await stat(path)).mode & 0o777;

async function write(path: string, text: string, options = {}): Promise<void> {
  const output = await createOutput(path, options);
  await output.append(text);
  await output.commit();
}

test('a link in the place of an output is replaced, and what it leads to is left alone', () =>
  withScratch(async (folder) => {
    const [secret, out] = [join(folder, 'secret'), join(folder, 'a.zia.csv')];
    await writeFile(secret, 'mine');
    await symlink(secret, out);
    expect(await resolveTarget(out, null)).toEqual({ kind: 'file', path: out });
    await write(out, 'rows');
    expect([await readFile(secret, 'utf8'), await readFile(out, 'utf8')]).toEqual(['mine', 'rows']);
    expect((await lstat(out)).isSymbolicLink()).toBe(false);
  }));

test('an output has the permissions of what it replaces, else of its input, else as told', () =>
  withScratch(async (folder) => {
    const [input, out] = [join(folder, 'a.csv'), join(folder, 'out.csv')];
    await writeFile(input, '');
    await chmod(input, 0o640);
    await write(out, '', { like: input });
    expect(await mode(out)).toBe(0o640);
    await chmod(out, 0o604);
    await write(out, '', { like: input, mode: 0o600 });
    expect(await mode(out)).toBe(0o604);
    await write(join(folder, 'ledger.ndjson'), '', { mode: 0o600 });
    expect(await mode(join(folder, 'ledger.ndjson'))).toBe(0o600);
  }));

test('what killed processes left is removed; what another writes, or wrote elsewhere, is not', () =>
  withScratch(async (folder) => {
    const machine = hostname()
      .replace(/[^A-Za-z0-9-]/g, '-')
      .slice(0, 40);
    const id = '0123456789abcdef';
    const dead = 2 ** 22 + 1; // beyond the largest process id of Linux
    const left = [`.a.csv.${machine}.${dead}.${id}.tmp`, `.a.csv.${dead}.tmp`];
    const kept = [
      `.a.csv.${machine}.${process.ppid}.${id}.tmp`,
      `.a.csv.elsewhere.${dead}.${id}.tmp`,
      `.b.csv.${dead}.tmp`,
    ];
    for (const name of [...left, ...kept]) await writeFile(join(folder, name), '');
    const first = await createOutput(join(folder, 'a.csv'));
    await write(join(folder, 'a.csv'), 'second');
    await first.discard();
    expect((await readdir(folder)).sort()).toEqual([...kept, 'a.csv'].sort());
  }));

test('an export with more enriched rows is kept under a number', () =>
  withScratch(async (folder) => {
    const out = join(folder, 'a.zia.csv');
    await writeFile(out, 'Company,zia_status\nAcme,enriched\nBeta,enriched\n');
    const counts = { rows: 2, submitted: 0, notFound: 0, failed: 0, rejected: 0, uncertain: 0, waiting: 0 };
    expect(await keepBetter(out, { ...counts, enriched: 2, notEnqueued: 0 }, 'csv')).toBeNull();
    expect(await keepBetter(out, { ...counts, enriched: 2, notEnqueued: 1 }, 'csv')).toBeNull();
    const worse = { ...counts, enriched: 0, notEnqueued: 2 };
    expect(await keepBetter(out, worse, 'csv')).toEqual({ path: join(folder, 'a.zia-1.csv'), enriched: 2 });
    expect(await keepBetter(out, worse, 'csv')).toEqual({ path: join(folder, 'a.zia-2.csv'), enriched: 2 });
    const kept = await openCsv(join(folder, 'a.zia-1.csv'));
    expect(kept.rowCount).toBe(2);
    await kept.close();
  }));
