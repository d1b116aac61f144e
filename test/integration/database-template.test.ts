import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { copyTemplate } from '../../src/lib/engine/embedded/database-template.js';
import { withScratch } from '../support/scratch.js';

// A script of the build has no types.
const { packFolder } = (await import('../../scripts/database-template.mjs' as string)) as {
  packFolder: (folder: string) => Buffer;
};

const FILES: Readonly<Record<string, string>> = { PG_VERSION: '18\n', 'base/1/16384': 'page', 'global/empty': '' };

function makeTemplate(folder: string): URL {
  const database = join(folder, 'template');
  for (const path of ['base/1', 'global', 'pg_notify']) mkdirSync(join(database, path), { recursive: true });
  for (const [path, text] of Object.entries(FILES)) writeFileSync(join(database, path), text);
  writeFileSync(join(folder, 'template.gz'), packFolder(database));
  return pathToFileURL(join(folder, 'template.gz'));
}

function filesIn(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = paths.filter((path) => statSync(join(folder, path)).isFile());
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(folder, path), 'utf8')]));
}

describe('the template of an embedded database', () => {
  test('is copied with its empty folders, for this user alone', () =>
    withScratch(async (folder) => {
      const data = join(folder, 'data');
      copyTemplate(data, makeTemplate(folder));
      expect(filesIn(data)).toEqual(FILES);
      expect(statSync(join(data, 'pg_notify')).isDirectory()).toBe(true);
      expect(statSync(data).mode & 0o077).toBe(0);
      expect(statSync(join(data, 'PG_VERSION')).mode & 0o077).toBe(0);
    }));

  test('never touches a database that is there', () =>
    withScratch(async (folder) => {
      const data = join(folder, 'data');
      mkdirSync(data);
      writeFileSync(join(data, 'PG_VERSION'), 'mine');
      copyTemplate(data, makeTemplate(folder));
      expect(filesIn(data)).toEqual({ PG_VERSION: 'mine' });
    }));

  test('starts anew after a copy that did not end, and leaves nothing half-way under the name of the database', () =>
    withScratch(async (folder) => {
      const data = join(folder, 'data');
      const template = makeTemplate(folder);
      const cut = pathToFileURL(join(folder, 'cut.gz'));
      const whole = gunzipSync(readFileSync(template));
      // The list is one character short, as no list is that was written whole.
      writeFileSync(cut, gzipSync(whole.subarray(0, whole.readUInt32LE(0) + 3)));
      mkdirSync(`${data}.new`);
      writeFileSync(join(`${data}.new`, 'leftover'), '');
      expect(() => copyTemplate(data, cut)).toThrow();
      expect(readdirSync(folder)).not.toContain('data');
      copyTemplate(data, template);
      expect(filesIn(data)).toEqual(FILES);
      expect(readdirSync(folder)).not.toContain('data.new');
    }));

  test('is no condition: without one the database is made from nothing', () =>
    withScratch(async (folder) => {
      copyTemplate(join(folder, 'data'), pathToFileURL(join(folder, 'none.gz')));
      expect(readdirSync(folder)).toEqual([]);
    }));
});
