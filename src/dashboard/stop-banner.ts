import { html } from 'hono/html';
import type { StopReason } from '../lib/core/control.js';
import { count } from '../lib/core/wording.js';
import { rowsLeft } from './figures.js';
import { type Html, time } from './layout.js';
import type { Picture } from './monitor.js';
import type { OverviewFrame } from './overview-frame.js';
import { jobUrl } from './queue-board.js';

/** What needs a person: the queue cannot be read, or the fleet is stopped; null when neither is so. */
export function alarm({ sample, problem }: Picture, frame: OverviewFrame): Html | null {
  if (problem !== null) {
    return html`<div class="banner stopped">
      <h2>The queue cannot be read</h2>
      <p>Since ${time(problem.sinceMs)}: ${problem.message}</p>
      <p>What is shown below is from before that. It goes on by itself once the queue is back.</p>
    </div>`;
  }
  const { mode, stop } = sample.control;
  return mode === 'stopped' && stop !== null ? stopBanner(stop, frame) : null;
}

/** What the fleet does while nothing needs a person. */
export function doing({ sample }: Picture): Html {
  const { control, vitals, queue, storeNowMs } = sample;
  const lifted = control.stop === null ? null : `The stop with ${control.stop.code} is lifted`;
  if (rowsLeft(queue) === 0) {
    const text = lifted === null ? 'No row is waiting.' : `${lifted}. No row is waiting; the next one goes alone.`;
    return state('idle', 'Nothing to send', text);
  }
  if (vitals.workers === 0) {
    return state(
      'waiting',
      'No worker is running',
      lifted === null
        ? html`Rows wait until one does: <code>npm run worker</code>`
        : html`${lifted}, but no worker runs: start one with <code>npm run worker</code>; its first row goes alone.`,
    );
  }
  if (control.mode === 'probing') {
    return state(
      'waiting',
      'One row goes first',
      `${lifted ?? 'Zoho could not be reached'}: all others wait for what Zoho says to it.`,
    );
  }
  if (control.holdUntilMs > storeNowMs) {
    const why = control.holdReason === 'throttled' ? 'Zoho asked for a pause' : 'Zoho cannot be reached';
    return state('waiting', 'Waiting', html`${why}: sending goes on by itself at ${time(control.holdUntilMs)}.`);
  }
  return state('running', 'Sending', 'Rows are submitted to Zoho.');
}

function state(kind: 'running' | 'idle' | 'waiting', title: string, text: string | Html): Html {
  return html`<div class="banner ${kind}"><h2>${title}</h2><p>${text}</p></div>`;
}

function stopBanner(stop: StopReason, { queueName, readOnly }: OverviewFrame): Html {
  return html`<div class="banner stopped">
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
