// Compiles src/ into dist/ and puts the scripts that live beside the code (Lua, SQL, HTML assets) next to it.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { extname } from 'node:path';

const COMPILED = new Set(['.ts', '.tsx']);

rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
cpSync('src', 'dist', { recursive: true, filter: (source) => !COMPILED.has(extname(source)) });
chmodSync('dist/cli/main.js', 0o755);
