import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';
import { etag } from 'hono/etag';

const { resolve } = createRequire(import.meta.url);
const own = (name: string) => fileURLToPath(new URL(`./assets/${name}`, import.meta.url));

/** Every file that is served, by name: nothing else can be asked for. */
const FILES: Readonly<Record<string, { readonly path: () => string; readonly type: string }>> = {
  'app.js': { path: () => own('app.js'), type: 'text/javascript' },
  'chart.js': { path: () => own('chart.js'), type: 'text/javascript' },
  'upload.js': { path: () => own('upload.js'), type: 'text/javascript' },
  'style.css': { path: () => own('style.css'), type: 'text/css' },
  'icon.svg': { path: () => own('icon.svg'), type: 'image/svg+xml' },
  'uplot.js': { path: () => resolve('uplot/dist/uPlot.iife.min.js'), type: 'text/javascript' },
  'uplot.css': { path: () => resolve('uplot/dist/uPlot.min.css'), type: 'text/css' },
};

export const ASSETS_PATH = '/assets';

/** Scripts, styles and the chart library, from this machine. */
export function assets(): Hono {
  const app = new Hono();
  app.use(etag());
  for (const [name, { path, type }] of Object.entries(FILES)) {
    const content = readFileSync(path(), 'utf8');
    const tag = createHash('sha256').update(content).digest('base64url').slice(0, 16);
    app.get(`/${name}`, (c) =>
      c.body(content, 200, {
        'content-type': `${type}; charset=utf-8`,
        'cache-control': 'no-cache',
        etag: `"${tag}"`,
      }),
    );
  }
  return app;
}
