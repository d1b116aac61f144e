import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** One text for the names and contents of files and folders, the version of Node, and `more`: another when any of them changed. */
export function hashOfSources(paths, more = '') {
  const hash = createHash('sha256').update(process.version).update(more);
  const add = (path) => {
    if (statSync(path).isDirectory()) for (const name of readdirSync(path).sort()) add(join(path, name));
    else hash.update(path).update(readFileSync(path));
  };
  for (const path of paths) add(path);
  return hash.digest('hex').slice(0, 32);
}
