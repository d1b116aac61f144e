// Makes an empty database for the embedded engine, with all its tables, so that a first start only copies it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

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

/** Writes `template.gz` beside the compiled engine in `dist`. */
export async function makeTemplate(dist) {
  const engine = join(dist, 'lib/engine/embedded');
  const { startDatabaseHost } = await import(pathToFileURL(join(engine, 'database-host.js')).href);
  const directory = mkdtempSync(join(tmpdir(), 'zia-template-'));
  try {
    const quiet = { error: console.error, warn: console.error, info: () => {}, debug: () => {} };
    const nobody = { serve: () => {}, refuse: () => {}, close: async () => {} };
    const host = await startDatabaseHost(directory, nobody, quiet, () => {});
    await host.close();
    writeFileSync(join(engine, 'template.gz'), packFolder(join(directory, 'data')));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
