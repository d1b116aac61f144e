import { html } from 'hono/html';
import { formatCount } from '../lib/core/format.js';
import type { Html } from './markup.js';

/** Some of the rows, with a color of their own. */
export interface RowGroup {
  readonly color: 'enriched' | 'empty' | 'submitted' | 'queued' | 'uncertain' | 'held' | 'failed' | 'rejected' | 'new';
  readonly label: string;
  readonly rows: number;
  /** Where these rows are listed. */
  readonly href?: string;
}

/** A bar of all groups and its legend. `text` is what the bar says to those who do not see it. */
export function rowBar(groups: readonly RowGroup[], text: string): Html {
  let end = 0;
  const bars = groups.map(({ color, rows }) => {
    end += rows;
    return html`<rect class="fill-${color}" x="${end - rows}" y="0" width="${rows}" height="1" />`;
  });
  return html`<svg class="bar" role="img" aria-label="${text}" viewBox="0 0 ${Math.max(1, end)} 1" preserveAspectRatio="none">${bars}</svg>
    <dl class="legend">${groups.map(
      ({ color, label, rows, href }) =>
        html`<div><dt><i class="dot ink-${color}" aria-hidden="true"></i>${label}</dt><dd class="${rows === 0 ? 'zero' : ''}">${href === undefined || rows === 0 ? formatCount(rows) : html`<a href="${href}" aria-label="${label}: show ${formatCount(rows)}">${formatCount(rows)}</a>`}</dd></div>`,
    )}</dl>`;
}
