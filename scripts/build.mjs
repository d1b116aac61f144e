// Compiles src/ into dist/, bundles the program there, and puts the scripts that live beside the code (Lua, SQL) next to it.
// `node scripts/build.mjs dev` compiles what runs outside jest but is not shipped (chaos, bench) into dist-dev/.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { extname } from 'node:path';
import { bundle } from './bundle.mjs';
import { makeTemplate } from './database-template.mjs';

const COMPILED = new Set(['.ts']);
const TARGETS = {
  ship: { project: 'tsconfig.build.json', out: 'dist', assets: 'dist' },
  dev: { project: 'tsconfig.dev.json', out: 'dist-dev', assets: 'dist-dev/src' },
};

const { project, out, assets } = TARGETS[process.argv[2] ?? 'ship'];
rmSync(out, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
cpSync('src', assets, { recursive: true, filter: (source) => !COMPILED.has(extname(source)) });
if (out === 'dist') {
  await bundle(out);
  chmodSync('dist/cli/main.js', 0o755);
  await makeTemplate(out).catch((error) => {
    console.error(
      `Built without a database template (${error.message}): first starts of the embedded engine take longer.`,
    );
  });
}
