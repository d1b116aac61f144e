import { html } from 'hono/html';

export type Html = ReturnType<typeof html>;

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

/** `3 kB` */
export function bytes(size: number): string {
  if (size < 1_000) return `${size} bytes`;
  return size < 1_000_000 ? `${Math.round(size / 1_000)} kB` : `${Math.round(size / 100_000) / 10} MB`;
}

/** Messages of the fleet name commands between backticks; a page shows them as such. */
export function withCode(message: string): Html {
  return html`${message.split('`').map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part))}`;
}
