// Puts the program's modules and its packages into a few files. Node spends most of a short command's time on finding and
// compiling some 900 modules one by one; a bundle halves it.
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { build } from 'esbuild';

/** Packages that read files of their own, which stay where they are, and one that is not there. */
const LEFT_OUT = ['@electric-sql/pglite', '@bull-board/*', 'email-providers', 'pg-native'];

/** Packages in CommonJS ask for Node's own modules by `require`, which an ES module does not have. */
const REQUIRE = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`;

/** Files beside a module are found by the module's path: the code moves, they do not. */
const originalUrls = {
  name: 'original-urls',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes('import.meta.url')) return undefined;
      const module = `../${relative(resolve('src'), path).replaceAll('\\', '/').replace(/\.ts$/, '.js')}`;
      const url = `new URL(${JSON.stringify(module)}, import.meta.url).href`;
      return { contents: text.replaceAll('import.meta.url', url), loader: 'ts' };
    });
  },
};

/** Writes `out`/cli/main.js, which has to be executed as a file, and what it loads to `out`/chunks. */
export async function bundle(out) {
  await build({
    entryPoints: { 'cli/main': 'src/cli/main.ts' },
    outdir: out,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    keepNames: true,
    // Comments and blanks would stay in memory as long as the program runs; one beyond Latin-1 doubles a whole file.
    minifyWhitespace: true,
    external: LEFT_OUT,
    banner: { js: REQUIRE },
    plugins: [originalUrls],
    allowOverwrite: true,
    logLevel: 'warning',
  });
}
