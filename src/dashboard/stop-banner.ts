import { html } from 'hono/html';
import type { StopReason } from '../lib/core/control.js';
import { rowsLeft } from './figures.js';
import { count, type Html, time } from './layout.js';
import type { Picture } from './monitor.js';
import type { OverviewFrame } from './overview-frame.js';
import { jobUrl } from './queue-board.js';

/** What the fleet does, and why it does not. */
export function banner({ sample, problem }: Picture, frame: OverviewFrame): Html {
  const { control, vitals, queue, storeNowMs } = sample;
  if (problem !== null) {
    return html`<div class="banner stopped" role="alert">
      <h2>The queue cannot be read</h2>
      <p>Since ${time(problem.sinceMs)}: ${problem.message}</p>
      <p>What is shown below is from before that. It goes on by itself once the queue is back.</p>
    </div>`;
  }
  if (control.mode === 'stopped' && control.stop !== null) return stopBanner(control.stop, frame);
  if (control.mode === 'probing') {
    const after = control.stop === null ? 'Zoho could not be reached' : `the stop with ${control.stop.code} was lifted`;
    return status('waiting', 'One row goes first', `All others wait for what Zoho says to it: ${after}.`);
  }
  if (control.holdUntilMs > storeNowMs) {
    const why = control.holdReason === 'throttled' ? 'Zoho asked for a pause' : 'Zoho cannot be reached';
    return html`<div class="banner waiting" role="status"><h2>Waiting</h2><p>${why}: sending goes on by itself at ${time(control.holdUntilMs)}.</p></div>`;
  }
  if (rowsLeft(queue) === 0) return status('idle', 'Nothing to send', 'No row is waiting.');
  if (vitals.workers === 0) {
    return html`<div class="banner waiting" role="status"><h2>No worker is running</h2><p>Rows wait until one does: <code>npm run worker</code></p></div>`;
  }
  return status('running', 'Sending', 'Rows are submitted to Zoho.');
}

function status(kind: 'running' | 'idle' | 'waiting', title: string, text: string): Html {
  return html`<div class="banner ${kind}" role="status"><h2>${title}</h2><p>${text}</p></div>`;
}

function stopBanner(stop: StopReason, { queueName, readOnly }: OverviewFrame): Html {
  return html`<div class="banner stopped" role="alert">
    <h2>Stopped: <code>${stop.code}</code></h2>
    <dl class="facts">
      <div><dt>Why</dt><dd>${stop.message}</dd></div>
      <div><dt>Since</dt><dd>${time(stop.sinceMs)}</dd></div>
      <div><dt>Row</dt><dd>${rowOf(stop, queueName)}</dd></div>
      <div><dt>What to do</dt><dd>${advice(stop.code)} Nothing was marked as failed; every row waits where it was.</dd></div>
    </dl>
    ${readOnly ? html`<p>This dashboard is read-only; <code>npm run resume</code> goes on.</p>` : html`<button type="button" id="resume-open" class="primary" data-opens="resume-dialog">Resume …</button>`}
  </div>`;
}

function rowOf({ line, key }: StopReason, queueName: string): Html {
  if (key === null) return html`none: it was not the answer to a row`;
  return html`<a href="${jobUrl(queueName, key)}">${line === null ? 'the row' : `line ${count(line)}`}</a>`;
}

function advice(code: string): string {
  if (code === 'PAUSED') return 'Resume when you are ready.';
  if (code === 'LIMIT_EXCEEDED') return 'Wait for new allowance, or ask Zoho for more, then resume.';
  return 'Mend what the reason names, then resume.';
}
