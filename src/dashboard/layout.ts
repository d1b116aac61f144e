import { html } from 'hono/html';
import { ASSETS_PATH } from './assets.js';
import { BOARD_PATH } from './queue-board.js';

export type Html = ReturnType<typeof html>;

export interface PageFrame {
  readonly title: string;
  /** Where queue and store are, without credentials. */
  readonly where: string;
  /** Which page this is; null for one that tells why there is none. */
  readonly current: 'overview' | 'file' | null;
  readonly scripts: readonly string[];
}

/** A whole page around `content`. Every value in it is escaped. */
export function page({ title, where, current, scripts }: PageFrame, content: Html): Html {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title}</title>
    <link rel="icon" href="${ASSETS_PATH}/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="${ASSETS_PATH}/uplot.css" />
    <link rel="stylesheet" href="${ASSETS_PATH}/style.css" />
    ${scripts.map((name) => html`<script defer src="${ASSETS_PATH}/${name}"></script>`)}
  </head>
  <body>
    <a class="skip" href="#content">Skip to content</a>
    <header class="top">
      <p class="brand"><img src="${ASSETS_PATH}/icon.svg" alt="" width="28" height="28" /><span>zia-bulk-enrich</span></p>
      <nav aria-label="Pages">
        <a href="/" ${current === 'overview' ? html`aria-current="page"` : ''}>Overview</a>
        <a href="${BOARD_PATH}">Jobs</a>
      </nav>
      <p class="where">${where}</p>
    </header>
    <main id="content" tabindex="-1">${content}</main>
    <p id="connection" class="connection" role="status"></p>
  </body>
</html>`;
}

const RATES = new Intl.NumberFormat('en', { maximumFractionDigits: 1, minimumFractionDigits: 1 });

/** `9.8` */
export function rate(value: number): string {
  return RATES.format(value);
}

/** A moment, in UTC until the page's script shows it on the reader's clock. */
export function time(atMs: number, style: 'time' | 'moment' = 'moment'): Html {
  const iso = new Date(atMs).toISOString();
  const text = style === 'time' ? `${iso.slice(11, 16)} UTC` : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
  return html`<time datetime="${iso}" data-style="${style}">${text}</time>`;
}
