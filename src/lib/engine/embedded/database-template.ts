import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** An empty database, made by the build; missing where the source runs unbuilt. */
const TEMPLATE = new URL('./template.gz', import.meta.url);

/**
 * Puts the files of an empty database into `directory`, which does not exist yet. Making them anew takes several seconds
 * and most of a gigabyte of memory, once. Does nothing without a template. Complete or not at all, also when the process
 * is killed meanwhile. The caller holds the host lock.
 */
export function copyTemplate(directory: string, template: URL = TEMPLATE): void {
  if (existsSync(directory) || !existsSync(template)) return;
  const unfinished = `${directory}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  unpack(gunzipSync(readFileSync(template)), unfinished);
  renameSync(unfinished, directory);
}

/** As `scripts/database-template.mjs` packs it: the length of a list (4 bytes), the list in JSON, the files one after the other. */
function unpack(packed: Buffer, directory: string): void {
  const listEnd = 4 + packed.readUInt32LE(0);
  // Written by our own build; a folder has no size.
  const list = JSON.parse(packed.toString('utf8', 4, listEnd)) as readonly (readonly [path: string, size?: number])[];
  mkdirSync(directory, { mode: 0o700 });
  let at = listEnd;
  for (const [path, size] of list) {
    if (size === undefined) {
      mkdirSync(join(directory, path), { mode: 0o700 });
    } else {
      writeFileSync(join(directory, path), packed.subarray(at, at + size), { mode: 0o600 });
      at += size;
    }
  }
}
