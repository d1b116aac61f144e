// Makes an empty database for the embedded engine, with all its tables, so that a first start only copies it.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { hashOfSources } from './hash-of-sources.mjs';

/** A folder in one piece; see `unpack` in src/lib/engine/embedded/database-template.ts. */
export function packFolder(folder) {
  const list = [];
  const contents = [];
  const visit = (path) => {
    if (!statSync(path).isDirectory()) {
      contents.push(readFileSync(path));
      list.push([relative(folder, path), contents.at(-1).length]);
      return;
    }
    if (path !== folder) list.push([relative(folder, path)]);
    for (const name of readdirSync(path).sort()) visit(join(path, name));
  };
  visit(folder);
  const text = Buffer.from(JSON.stringify(list));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return gzipSync(Buffer.concat([length, text, ...contents]), { level: 9 });
}

/** Making one takes most of a build's time, so it is kept for builds from the same engine, tables and packages. */
const CACHE = 'node_modules/.cache/zia-database-template';
const MADE_FROM = ['src/lib/engine/embedded', 'scripts/database-template.mjs', 'package-lock.json'];

/** Writes `template.gz` beside the compiled engine in `dist`: as it was made before from the same sources, or anew. */
export async function makeTemplate(dist) {
  const target = join(dist, 'lib/engine/embedded/template.gz');
  const { readSchema } = await import(pathToFileURL(resolve(dist, 'lib/store/postgres/schema.js')).href);
  const kept = join(CACHE, `${hashOfSources(MADE_FROM, readSchema())}.gz`);
  if (!existsSync(kept)) {
    await makeAnew(dist, target);
    rmSync(CACHE, { recursive: true, force: true });
    mkdirSync(CACHE, { recursive: true });
    copyFileSync(target, `${kept}.tmp`);
    renameSync(`${kept}.tmp`, kept);
    return;
  }
  copyFileSync(kept, target);
}

async function makeAnew(dist, target) {
  const engine = join(dist, 'lib/engine/embedded');
  const { startDatabaseHost } = await import(pathToFileURL(join(engine, 'database-host.js')).href);
  const directory = mkdtempSync(join(tmpdir(), 'zia-template-'));
  try {
    const quiet = { error: console.error, warn: console.error, info: () => {}, debug: () => {} };
    const nobody = { serve: () => {}, refuse: () => {}, close: async () => {} };
    const host = await startDatabaseHost(directory, nobody, quiet, () => {});
    await host.close();
    writeFileSync(target, packFolder(join(directory, 'data')));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
