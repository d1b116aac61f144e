import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'dotenv';
import { readEnvironment } from '../../src/lib/config/environment.js';
import { VARIABLES } from '../../src/lib/config/variables.js';
import { loadConfig } from '../../src/lib/config.js';
import { withScratch } from '../support/scratch.js';

const NAMES = VARIABLES.map(({ name }) => name);

test('.env.example lists every variable, in order, with its default', async () => {
  const text = await readFile('.env.example', 'utf8');
  const lines = [...text.matchAll(/^(# )?([A-Z][A-Z_]+)=(.*)$/gm)];
  expect(lines.map(([, , name]) => name)).toEqual(NAMES);
  expect(lines.map(([, , , value]) => value)).toEqual(VARIABLES.map((info) => info.default ?? ''));
});

test('.env.example leaves every setting at its default when copied as it is', async () => {
  const values = parse(await readFile('.env.example', 'utf8'));
  expect(Object.values(values).filter((value) => value !== '')).toEqual([]);
});

test('docs/configuration.md has one row for each variable, with default and description', async () => {
  const text = await readFile('docs/configuration.md', 'utf8');
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$/gm)];
  expect(rows.map(([, name]) => name)).toEqual(NAMES);
  expect(rows.map(([, , fallback]) => fallback)).toEqual(
    VARIABLES.map((info) => (info.default === null ? (info.unset ?? 'none') : `\`${info.default}\``)),
  );
  expect(rows.map(([, , , description]) => description)).toEqual(VARIABLES.map(({ description }) => description));
});

test('.env of the working directory is read, and the real environment wins', () =>
  withScratch(async (folder) => {
    await writeFile(join(folder, '.env'), 'ZIA_PREFIX=from-file\nZIA_QUEUE=from-file\nPATH=/nowhere\n');
    process.env.ZIA_QUEUE = 'from-outside';
    try {
      const env = readEnvironment(folder);
      expect(env.ZIA_PREFIX).toBe('from-file');
      expect(env.ZIA_QUEUE).toBe('from-outside');
      expect(env.PATH).toBe(process.env.PATH);
      expect(process.env.ZIA_PREFIX).toBeUndefined();
    } finally {
      delete process.env.ZIA_QUEUE;
    }
  }));

test('a missing .env is fine, an unreadable one is an error that names it', () =>
  withScratch(async (folder) => {
    expect(readEnvironment(folder).ZIA_PREFIX).toBeUndefined();
    await (await import('node:fs/promises')).mkdir(join(folder, '.env'));
    expect(() => readEnvironment(folder)).toThrow(/\.env cannot be read \(EISDIR\)/);
  }));

test('deploy/unattended.env is a configuration that keeps some back, resumes by itself and tells', async () => {
  const { work, notify } = loadConfig(parse(await readFile('deploy/unattended.env', 'utf8')));
  expect(work).toMatchObject({ keepAllowance: 500, resumeAfterLimitMs: 6 * 3_600_000 });
  expect(notify.url).toContain('https://');
});
