// Part of `npm run lint`: a file under src that is longer than this has more than one purpose. Tables are exempt, by name.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const MAX_LINES = 300;
const TABLES = new Set(['src/dashboard/assets/style.css']);

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'src'], {
  encoding: 'utf8',
}).split('\n');

let found = 0;
for (const path of files) {
  if (!/\.(?:ts|js|lua|sql|css)$/.test(path) || TABLES.has(path) || !existsSync(path)) continue;
  const lines = readFileSync(path, 'utf8').split('\n').length - 1;
  if (lines <= MAX_LINES) continue;
  found += 1;
  console.error(`${path} has ${lines} lines, and ${MAX_LINES} are the most: cut it at a seam.`);
}
if (found > 0) process.exit(1);
