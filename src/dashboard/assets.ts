import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';
import { etag } from 'hono/etag';
import type { FleetState } from './fleet-state.js';

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

/** The icon of the tab carries a dot that tells the state. */
const STATE_COLORS: Readonly<Record<FleetState['kind'], string>> = {
  sending: '#1a8f5f',
  idle: '#7d8799',
  waiting: '#b7791f',
  paused: '#b7791f',
  stopped: '#c8372d',
  away: '#c8372d',
};

function stateIcons(icon: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(STATE_COLORS).map(([kind, color]) => [
      `icon-${kind}.svg`,
      icon.replace('</svg>', `<circle cx="25" cy="7" r="6" fill="${color}" stroke="#fff" stroke-width="2"/></svg>`),
    ]),
  );
}

export const ASSETS_PATH = '/assets';

/** Scripts, styles and the chart library, from this machine. */
export function assets(): Hono {
  const app = new Hono();
  app.use(etag());
  const files = Object.entries(FILES).map(
    ([name, { path, type }]) => [name, readFileSync(path(), 'utf8'), type] as const,
  );
  const icons = Object.entries(stateIcons(readFileSync(own('icon.svg'), 'utf8')));
  for (const [name, content, type] of [
    ...files,
    ...icons.map(([name, text]) => [name, text, 'image/svg+xml'] as const),
  ]) {
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
