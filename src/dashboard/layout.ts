import { html } from 'hono/html';
import { formatCount } from '../lib/core/format.js';
import { ALLOWANCE_SOURCES } from '../lib/zoho/allowance.js';
import { ASSETS_PATH } from './assets.js';
import { type FleetState, fleetState, percentSent } from './fleet-state.js';
import type { Frame } from './frame.js';
import type { Html } from './markup.js';
import type { OverviewState } from './monitor.js';
import { BOARD_PATH } from './queue-board.js';

export interface PageHead {
  /** Of the page, such as a file's name. */
  readonly title: string;
  /** Which page of the navigation this is; null for one that is in none. */
  readonly current: 'overview' | 'files' | 'rows' | null;
  readonly scripts: readonly string[];
  /** The page is asked for again after so many seconds, for want of a script that would tell. */
  readonly refreshSeconds?: number;
}

/** A whole page around `content`: the header tells of org, state and allowance. Every value in it is escaped. */
export function page(
  { title, current, scripts, refreshSeconds }: PageHead,
  frame: Frame,
  overview: OverviewState | null,
  content: Html,
): Html {
  const isSandbox = frame.account?.isSandbox ?? false;
  const nav = (path: string, name: Exclude<PageHead['current'], null>, label: string) =>
    html`<a href="${path}" ${current === name ? html`aria-current="page"` : ''}>${label}</a>`;
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${tabTitle(title, frame, overview)}</title>
    <link rel="icon" id="icon" href="${iconOf(overview)}" type="image/svg+xml" />
    ${refreshSeconds === undefined ? '' : html`<meta http-equiv="refresh" content="${refreshSeconds}" />`}
    <link rel="stylesheet" href="${ASSETS_PATH}/uplot.css" />
    <link rel="stylesheet" href="${ASSETS_PATH}/style.css" />
    ${scripts.map((name) => html`<script defer src="${ASSETS_PATH}/${name}"></script>`)}
  </head>
  <body data-title="${title}">
    <a class="skip" href="#content">Skip to content</a>
    ${isSandbox ? html`<p class="stripe">SANDBOX: a rehearsal, nothing is paid</p>` : ''}
    <header class="top">
      <p class="brand"><img src="${ASSETS_PATH}/icon.svg" alt="" width="28" height="28" /><span>zia-bulk-enrich${frame.profile === null ? '' : html` <small>${frame.profile}</small>`}</span></p>
      <nav aria-label="Pages">
        ${nav('/', 'overview', 'Overview')} ${nav('/files', 'files', 'Files')} ${nav('/rows', 'rows', 'All rows')}
      </nav>
      <dl class="facts-line" id="facts">${headerFacts(frame, overview)}</dl>
    </header>
    <main id="content" tabindex="-1">${content}</main>
    <footer class="foot">
      <p>${frame.where}</p>
      <p><a href="${BOARD_PATH}">Raw queue (for engineers)</a> · <a href="/metrics">Metrics</a></p>
    </footer>
    <p id="connection" class="connection" role="status"></p>
  </body>
</html>`;
}

/** Org, module, state, enrichments left, user: they change while a page is open. */
export function headerFacts(frame: Frame, overview: OverviewState | null): Html {
  const { account, module, user } = frame;
  const state = overview === null ? null : fleetState(overview);
  return html`<div><dt>Org</dt><dd>${account === null ? 'no Zoho account' : html`${account.org() ?? '–'} · ${account.dataCenter} <b class="tag ${account.isSandbox ? 'sandbox' : 'live'}">${account.isSandbox ? 'SANDBOX' : 'LIVE'}</b>`}</dd></div>
    <div><dt>Module</dt><dd>${module}</dd></div>
    ${state === null ? '' : html`<div><dt>State</dt><dd><i class="dot state-${state.kind}" aria-hidden="true"></i>${state.word}</dd></div>`}
    <div><dt>Enrichments left</dt>${allowanceLeftCell(overview)}</div>
    ${user === null ? '' : html`<div><dt>User</dt><dd>${user} <a href="/logout">Log out</a></dd></div>`}`;
}

/** With where the number comes from, and its age. */
function allowanceLeftCell(overview: OverviewState | null): Html {
  const allowance = overview?.allowance ?? null;
  if (overview === null || allowance === null) return html`<dd>not known</dd>`;
  const minutes = Math.floor((overview.sample.storeNowMs - allowance.askedAtMs) / 60_000);
  const age = minutes < 1 ? 'less than a minute' : `${formatCount(minutes)} min`;
  return html`<dd title="${ALLOWANCE_SOURCES[allowance.source]}, asked ${age} ago">${formatCount(allowance.left)}</dd>`;
}

/** What the tab says: what needs a person first. */
export function tabTitle(title: string, { profile }: Frame, overview: OverviewState | null): string {
  const name = `${title} · ${profile === null ? '' : `${profile} · `}zia-bulk-enrich`;
  if (overview === null) return name;
  const { kind, word } = fleetState(overview);
  if (kind === 'stopped' || kind === 'away') return `(!) ${word} · ${name}`;
  if (kind === 'sending') return `${percentSent(overview) ?? 0}% · ${name}`;
  return `${word} · ${name}`;
}

export function iconOf(overview: OverviewState | null): string {
  const kind: FleetState['kind'] | null = overview === null ? null : fleetState(overview).kind;
  return `${ASSETS_PATH}/icon${kind === null ? '' : `-${kind}`}.svg`;
}
