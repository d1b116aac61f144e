import { html } from 'hono/html';
import { count, duration, rows } from '../lib/core/wording.js';
import { minutes, recentRate, rowGroups, rowsLeft, secondsLeft } from './figures.js';
import { type Html, page, rate, time } from './layout.js';
import type { Picture } from './monitor.js';
import type { OverviewFrame } from './overview-frame.js';
import { jobUrl } from './queue-board.js';
import { rowBar } from './row-bar.js';
import { alarm, doing } from './stop-banner.js';

/** The parts of the page that change, by the id of the element they fill. */
export function overviewParts(picture: Picture, frame: OverviewFrame): Readonly<Record<string, Html>> {
  const alarming = alarm(picture, frame);
  return {
    alarm: alarming ?? html``,
    doing: alarming === null ? doing(picture) : html``,
    numbers: numbers(picture, frame),
    outcomes: outcomeBar(picture),
    trouble: trouble(picture, frame),
    failures: failures(picture, frame),
    minutes: minuteRows(picture),
    ...(frame.readOnly ? {} : { 'resume-stop': stopToLift(picture) }),
  };
}

/** The overview as first painted; `extra` follows the figures. */
export function overviewPage(picture: Picture, frame: OverviewFrame, extra: Html | null): Html {
  const parts = overviewParts(picture, frame);
  return page(
    {
      title: 'Overview · zia-bulk-enrich',
      where: frame.where,
      current: 'overview',
      scripts: ['uplot.js', 'chart.js', 'app.js', 'upload.js'],
    },
    html`<h1>Overview</h1>
      <div data-poll="/parts">
        <div id="alarm" role="alert">${parts.alarm}</div>
        <div id="doing" role="status">${parts.doing}</div>
      </div>
      <section class="card" aria-labelledby="outcomes-title">
        <h2 id="outcomes-title">Rows by outcome</h2>
        <div id="outcomes">${parts.outcomes}</div>
      </section>
      <section aria-label="Now"><dl id="numbers" class="tiles">${parts.numbers}</dl></section>
      <section class="card" aria-labelledby="chart-title">
        <h2 id="chart-title">Pace</h2>
        <div id="chart" class="chart" role="img" aria-label="Submissions per second and calls in flight over the last half hour; the table below has the same figures by minute."></div>
        <details>
          <summary>Show as a table</summary>
          <div class="scroll" role="region" aria-label="Pace by minute" tabindex="0"><table>
            <thead><tr><th scope="col">Minute</th><th scope="col">Submissions per second</th><th scope="col">Most calls in flight</th></tr></thead>
            <tbody id="minutes">${parts.minutes}</tbody>
          </table></div>
        </details>
      </section>
      <div class="columns">
        <section class="card" aria-labelledby="trouble-title">
          <h2 id="trouble-title">Delays and doubts</h2>
          <dl id="trouble" class="pairs">${parts.trouble}</dl>
        </section>
        <section class="card" aria-labelledby="failures-title">
          <h2 id="failures-title">Latest failures</h2>
          <div id="failures">${parts.failures}</div>
        </section>
      </div>
      ${extra ?? ''} ${frame.readOnly ? '' : resumeDialog(parts['resume-stop'])}`,
  );
}

function resumeDialog(stop: Html | undefined): Html {
  return html`<dialog id="resume-dialog" aria-labelledby="resume-title">
    <h2 id="resume-title">Resume sending?</h2>
    <p id="resume-stop">${stop ?? ''}</p>
    <p>One row goes first. When Zoho accepts it all workers go on; when Zoho refuses it for the same reason the stop comes back, and nothing else was sent.</p>
    <div class="actions">
      <form method="dialog"><button>Not yet</button></form>
      <form method="post" action="/resume" id="resume"><button class="primary">Resume</button></form>
    </div>
  </dialog>`;
}

/** What would be lifted, and for the form which stop that is: the page may be older than the latest one. */
function stopToLift({ sample }: Picture): Html {
  const { stop, epoch } = sample.control;
  return html`${stop === null ? 'Nothing is stopped.' : html`Stopped: <code>${stop.code}</code>, ${time(stop.sinceMs)}.`}<input type="hidden" name="epoch" value="${epoch}" form="resume" />`;
}

function outcomeBar({ sample }: Picture): Html {
  const parts = rowGroups(sample);
  const total = parts.reduce((sum, part) => sum + part.rows, 0);
  const left = rowsLeft(sample.queue);
  const done = total - left;
  const percent = total === 0 ? 0 : Math.floor((done / total) * 100);
  const text = total === 0 ? 'No rows yet.' : `${count(done)} of ${rows(total)} through (${percent}%)`;
  return html`<p class="lead">${text}</p>
    ${rowBar(parts, text)}`;
}

function numbers(picture: Picture, frame: OverviewFrame): Html {
  const { sample, allowance, history } = picture;
  const latest = history.at(-1);
  const seconds = secondsLeft(picture, frame.ratePerSecond);
  const mean = recentRate(history, sample.atMs);
  return html`${[
    tile(
      'Submissions per second',
      latest === undefined ? '–' : rate(latest.perSecond),
      mean === null
        ? `limit ${count(frame.ratePerSecond)}`
        : `${rate(mean)} over a minute, limit ${count(frame.ratePerSecond)}`,
    ),
    tile(
      'Calls in flight',
      count(sample.vitals.inFlight),
      `at most ${count(sample.control.maxInFlight ?? frame.maxInFlight)}`,
    ),
    tile(
      'Time left',
      timeLeft(picture, seconds),
      seconds === null || seconds === 0 ? '' : html`until ${time(sample.atMs + seconds * 1000, 'time')}`,
    ),
    tile('Workers alive', count(sample.vitals.workers), sample.vitals.workers === 0 ? 'start one: npm run worker' : ''),
    allowance === null
      ? tile('Allowance left', '–', 'not known')
      : tile(
          'Allowance left',
          count(allowance.left),
          `of ${count(allowance.total)}${allowance.source === 'estimate' ? ', estimated' : ''}`,
        ),
  ]}`;
}

function timeLeft({ sample }: Picture, seconds: number | null): string {
  if (seconds === 0) return 'none';
  if (seconds !== null) return duration(seconds);
  return sample.control.mode === 'stopped' ? 'stopped' : 'no worker';
}

function tile(label: string, value: string, remark: string | Html): Html {
  return html`<div class="tile"><dt>${label}</dt><dd><b>${value}</b><small>${remark}</small></dd></div>`;
}

function trouble({ sample, throttles, watchingSinceMs }: Picture, { maxInFlight }: OverviewFrame): Html {
  const { queue, ledger, control } = sample;
  const isThrottled = control.holdReason === 'throttled' && control.holdUntilMs > sample.storeNowMs;
  const lowered = control.maxInFlight === null ? '' : `, ${control.maxInFlight} of ${maxInFlight} calls at once`;
  return html`${[
    pair(
      'Throttled by Zoho',
      isThrottled ? 'now' : count(throttles),
      isThrottled ? `waiting${lowered}` : html`times since ${time(watchingSinceMs, 'time')}${lowered}`,
    ),
    pair(
      'To be tried again',
      count(Math.max(0, queue.delayed - ledger.uncertain)),
      'rows that wait for their next attempt',
    ),
    pair('Uncertain', count(ledger.uncertain), 'answer lost; looked up at Zoho before they are ever sent again'),
    pair('Held', count(ledger.held), 'a look-up cannot tell; only a person may decide'),
    pair('Being sent', count(ledger.sending), 'claimed, answer to come'),
  ]}`;
}

function pair(label: string, value: string, remark: string | Html): Html {
  return html`<div><dt>${label}<small>${remark}</small></dt><dd>${value}</dd></div>`;
}

function failures({ sample }: Picture, { queueName }: OverviewFrame): Html {
  if (sample.failures.length === 0) return html`<p class="quiet">No row has failed.</p>`;
  return html`<ul class="failures">${sample.failures.map(
    ({ jobId, hasJob, line, code, message, atMs }) => html`<li>
        <p>${hasJob ? html`<a href="${jobUrl(queueName, jobId)}">${line === null ? 'Row' : `Line ${count(line)}`}</a>` : `Row ${jobId}`} <code>${code}</code>${atMs === null ? '' : html` <small>${time(atMs)}</small>`}</p>
        <p>${message}</p>
      </li>`,
  )}</ul>`;
}

function minuteRows({ history }: Picture): Html {
  const list = minutes(history);
  if (list.length === 0) return html`<tr><td colspan="3">Nothing was measured yet.</td></tr>`;
  return html`${list.map(
    ({ startMs, perSecond, inFlight }) =>
      html`<tr><th scope="row">${time(startMs, 'time')}</th><td>${rate(perSecond)}</td><td>${count(inFlight)}</td></tr>`,
  )}`;
}
