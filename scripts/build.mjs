// Compiles src/ into dist/, bundles the program there, and puts the scripts that live beside the code (Lua, SQL) next to it.
// A build from the same sources stays as it is. `node scripts/build.mjs dev` compiles what runs outside jest but is not shipped
// (chaos, bench) into dist-dev/.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { bundle } from './bundle.mjs';
import { makeTemplate } from './database-template.mjs';
import { hashOfSources } from './hash-of-sources.mjs';

const COMPILED = new Set(['.ts']);
const TARGETS = {
  ship: { project: 'tsconfig.build.json', out: 'dist', assets: 'dist' },
  dev: { project: 'tsconfig.dev.json', out: 'dist-dev', assets: 'dist-dev/src' },
};

const { project, out, assets } = TARGETS[process.argv[2] ?? 'ship'];
const hash = hashOfSources(['src', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json', project]);
const hashFile = join(out, '.made-from');
if (out === 'dist' && existsSync(hashFile) && readFileSync(hashFile, 'utf8') === hash) process.exit(0);
rmSync(out, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
cpSync('src', assets, { recursive: true, filter: (source) => !COMPILED.has(extname(source)) });
if (out === 'dist') {
  await bundle(out);
  chmodSync('dist/cli/main.js', 0o755);
  await makeTemplate(out).then(
    // Last, so that a build which was interrupted is made again.
    () => writeFileSync(hashFile, hash),
    (error) =>
      console.error(
        `Built without a database template (${error.message}): first starts of the embedded engine take longer.`,
      ),
  );
}
