import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderPrefix } from '../../src/dashboard/scratch-folder.js';

/** What dashboards of this process have on disk of files that were uploaded to them. */
export async function uploadedFiles(): Promise<string[]> {
  const own = (await readdir(tmpdir())).filter((name) => name.startsWith(folderPrefix(process.pid) ?? '-'));
  const found = await Promise.all(
    own.map((name) => readdir(join(tmpdir(), name), { recursive: true, withFileTypes: true }).catch(() => [])),
  );
  return found.flat().flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []));
}
