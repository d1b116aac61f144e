import { html } from 'hono/html';
import type { Control } from '../lib/core/control.js';
import type { QueueCounts } from '../lib/engine/engine.js';
import type { LedgerCounts } from '../lib/store/store.js';

export interface Overview {
  readonly engine: string;
  readonly queueName: string;
  readonly queue: QueueCounts;
  readonly ledger: LedgerCounts;
  readonly control: Control | null;
}

/** The page at `/`, as HTML; every value is escaped. */
export function landingPage(overview: Overview): ReturnType<typeof html> {
  const { engine, queueName, queue, ledger } = overview;
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta http-equiv="refresh" content="10" />
    <title>zia-bulk-enrich</title>
    <style>
      ${STYLE}
    </style>
  </head>
  <body>
    <h1>zia-bulk-enrich</h1>
    <p>Queue <b>${queueName}</b> on ${engine}</p>
    ${banner(overview.control)}
    ${table('Jobs', [
      ['waiting', queue.waiting],
      ['active', queue.active],
      ['delayed', queue.delayed],
      ['completed', queue.completed],
      ['failed', queue.failed],
    ])}
    ${table('Rows sent to Zoho', [
      ['accepted', ledger.scheduled],
      ['being sent', ledger.sending],
      ['uncertain', ledger.uncertain],
      ['held for a decision', ledger.held],
    ])}
    <p><a href="/queues">Open the queue</a></p>
  </body>
</html>`;
}

function banner(control: Control | null): ReturnType<typeof html> {
  const stop = control?.stop ?? null;
  if (control?.mode === 'stopped' && stop !== null) {
    return html`<div class="stopped" role="alert">
    <p>Stopped since ${new Date(stop.sinceMs).toISOString()}: <b>${stop.code}</b></p>
    <p>${stop.message}</p>
    <p>Fix the cause, then run <code>npm run resume</code>.</p>
  </div>`;
  }
  if (control?.mode === 'probing') {
    const after = stop === null ? 'Zoho could not be reached' : `the stop with ${stop.code} was lifted`;
    return html`<p class="probing" role="status">One row is tried before the rest: ${after}.</p>`;
  }
  return html`<p class="running" role="status">Running</p>`;
}

function table(caption: string, rows: ReadonlyArray<readonly [string, number]>): ReturnType<typeof html> {
  return html`<table>
    <caption>${caption}</caption>
    ${rows.map(([name, count]) => html`<tr><th scope="row">${name}</th><td>${count.toLocaleString('en')}</td></tr>`)}
  </table>`;
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
table { border-collapse: collapse; margin: 1rem 0; min-width: 20rem; }
caption { text-align: left; font-weight: 600; }
th { text-align: left; font-weight: normal; }
td { text-align: right; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #d8dee8; padding: 0.25rem 0.5rem; }
.running, .probing, .stopped { border-left: 0.4rem solid; padding: 0.5rem 1rem; }
.running { border-color: #2e8b57; } .probing { border-color: #d9a400; } .stopped { border-color: #c0392b; background: #fdf0ee; }
`;
