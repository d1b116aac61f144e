import { html } from 'hono/html';
import type { Check } from '../lib/core/check.js';
import { formatCount, formatDuration, formatRows } from '../lib/core/format.js';
import { budgetCard, budgetWords } from './budget-card.js';
import { minutes, paceOf, recentRate, rowGroups, rowsLeft, secondsLeft } from './figures.js';
import type { Frame } from './frame.js';
import { headerFacts, iconOf, page, tabTitle } from './layout.js';
import { type Html, rate, time } from './markup.js';
import type { OverviewState } from './monitor.js';
import { paidRetryDialog, problemsCard } from './problems-card.js';
import { rowBar } from './row-bar.js';
import { alarm, doing, resumeDialog, stopToLift } from './state-card.js';

/** The parts of the page that change, by the id of the element they fill. */
export function overviewParts(overview: OverviewState, frame: Frame): Readonly<Record<string, Html>> {
  return {
    facts: headerFacts(frame, overview),
    alarm: alarm(overview, frame),
    doing: doing(overview, frame),
    numbers: numbers(overview, frame),
    outcomes: outcomeBar(overview),
    delays: delays(overview, frame),
    problems: problemsCard(overview, frame),
    minutes: minuteRows(overview),
    budget: html`${budgetWords(overview.sample)}`,
    ...(frame.readOnly ? {} : { 'resume-stop': stopToLift(overview) }),
  };
}

/** What the tab shows of it: title and icon. */
export function overviewTab(overview: OverviewState, frame: Frame): { readonly title: string; readonly icon: string } {
  return { title: tabTitle('Overview', frame, overview), icon: iconOf(overview) };
}

export interface OverviewExtras {
  /** Where files are dropped and those that were; null where there are none. */
  readonly files: Html | null;
  /** Shown while nothing was ever queued. */
  readonly start: Html | null;
  readonly notice: Html | null;
  /** The dialog that is open, for want of a script or because its content has to be fresh. */
  readonly asks: 'resume' | 'retry-paid' | null;
}

/**
 * The overview as first painted. What is empty before anything is queued has the class `when-full`, and what is of use only
 * then `when-empty`: the style hides them by what the state card says, so that an open page changes over by itself.
 */
export function overviewPage(overview: OverviewState, frame: Frame, extras: OverviewExtras): Html {
  const parts = overviewParts(overview, frame);
  const { files, start, notice, asks } = extras;
  const head = {
    title: 'Overview',
    current: 'overview',
    scripts: ['uplot.js', 'chart.js', 'app.js', 'upload.js'],
  } as const;
  return page(
    head,
    frame,
    overview,
    html`<h1>Overview</h1>
      ${notice ?? ''}
      <div data-poll="/parts">
        <div id="alarm" role="alert">${parts.alarm}</div>
        <div id="doing" role="status">${parts.doing}</div>
      </div>
      ${figures(parts)} ${files ?? ''} ${start ?? ''} ${problems(parts)} ${pace(parts)} ${budgetCard(overview.sample, frame)}
      ${frame.readOnly ? '' : resumeDialog(overview, asks === 'resume')} ${frame.readOnly || asks !== 'retry-paid' ? '' : paidRetryDialog(overview, frame)}`,
  );
}

function figures(parts: Readonly<Record<string, Html>>): Html {
  return html`<section class="card when-full" aria-labelledby="outcomes-title">
        <h2 id="outcomes-title">Rows by outcome</h2>
        <div id="outcomes">${parts.outcomes}</div>
      </section>
      <section class="when-full" aria-label="Now"><dl id="numbers" class="tiles">${parts.numbers}</dl></section>`;
}

function problems(parts: Readonly<Record<string, Html>>): Html {
  return html`<section class="card when-full" aria-labelledby="problems-title">
        <h2 id="problems-title">Problems</h2>
        <div id="problems">${parts.problems}</div>
      </section>`;
}

function pace(parts: Readonly<Record<string, Html>>): Html {
  return html`<section class="card when-full" aria-labelledby="chart-title">
        <h2 id="chart-title">Pace</h2>
        <div id="chart" class="chart" role="img" aria-label="Rows sent per second and open requests over the last half hour; the table below has the same figures by minute."></div>
        <details>
          <summary>Show as a table</summary>
          <div class="scroll" role="region" aria-label="Pace by minute" tabindex="0"><table>
            <thead><tr><th scope="col">Minute</th><th scope="col">Rows sent per second</th><th scope="col">Most open requests</th></tr></thead>
            <tbody id="minutes">${parts.minutes}</tbody>
          </table></div>
        </details>
        <dl id="delays" class="pairs">${parts.delays}</dl>
      </section>`;
}

/** What to look at before the first file: the example, and what doctor says. */
export function startCard(checks: readonly Check[] | null, { readOnly, account }: Frame): Html {
  const cost =
    account === null || account.isSandbox
      ? ''
      : ' This org is live: sending its rows uses enrichments; looking at it does not.';
  return html`${
    readOnly
      ? ''
      : html`<section class="card when-empty" aria-labelledby="example-title"><h2 id="example-title">See how it works</h2>
      <form method="post" action="/files/example"><p>227 made-up companies show what the program finds in a file.${cost}</p><button>Try it with the example file</button></form></section>`
  }
    <section class="card when-empty" aria-labelledby="checks-title"><h2 id="checks-title">Checks</h2>
      <div id="checks">${checks === null ? html`<p class="quiet">Checking …</p>` : checkList(checks)}</div></section>`;
}

const CHECK_WORDS = { ok: '✓ ok', warning: '! warning', failed: '✗ failed', 'not-checked': 'not checked' } as const;

/** What needs a person first, what is fine folded away. */
export function checkList(checks: readonly Check[]): Html {
  const fine = checks.filter(({ status }) => status === 'ok');
  const line = ({ name, status, message }: Check) =>
    html`<li class="check ${status}"><b>${CHECK_WORDS[status]}</b> ${name}: ${message}</li>`;
  return html`<ul class="plain">${checks.filter(({ status }) => status !== 'ok').map(line)}</ul>
    ${fine.length === 0 ? '' : html`<details><summary>${fine.length === 1 ? '1 check is fine' : `${fine.length} checks are fine`}</summary><ul class="plain">${fine.map(line)}</ul></details>`}`;
}

function outcomeBar({ sample }: OverviewState): Html {
  const parts = rowGroups(sample);
  const total = parts.reduce((sum, part) => sum + part.rows, 0);
  const sent = total - rowsLeft(sample.queue);
  const finished = sent - sample.ledger.pending;
  const percent = total === 0 ? 0 : Math.floor((sent / total) * 100);
  const results = sample.ledger.pending === 0 ? '' : `, ${formatCount(finished)} finished`;
  const text =
    total === 0 ? 'No rows yet.' : `${formatCount(sent)} of ${formatRows(total)} sent (${percent}%)${results}`;
  return html`<p class="lead">${text}</p>
    ${rowBar(parts, text)}
    <p class="quiet">Companies, each counted once, however many files have them.</p>`;
}

function numbers(overview: OverviewState, frame: Frame): Html {
  const { sample, allowance, history } = overview;
  const latest = history.at(-1);
  const { ratePerSecond, maxInFlight } = paceOf(sample, frame);
  const seconds = secondsLeft(overview, ratePerSecond);
  const mean = recentRate(history, sample.atMs);
  const limit = `limit ${formatCount(ratePerSecond)}`;
  return html`${[
    tile(
      'Rows sent per second',
      latest === undefined ? '–' : rate(latest.perSecond),
      mean === null ? limit : `${rate(mean)} over a minute, ${limit}`,
    ),
    tile(
      'Open requests',
      formatCount(sample.fleetStats.inFlight),
      `at most ${formatCount(sample.control.maxInFlight ?? maxInFlight)}`,
    ),
    tile(
      'Time left',
      seconds === null || seconds === 0 ? '–' : formatDuration(seconds),
      seconds === null || seconds === 0 ? '' : html`until ${time(sample.atMs + seconds * 1000, 'time')}`,
    ),
    tile(
      'Workers running',
      formatCount(sample.fleetStats.workers),
      sample.fleetStats.workers === 0 ? 'nothing will be sent' : '',
    ),
    allowance === null
      ? tile('Enrichments left', '–', 'not known')
      : tile(
          'Enrichments left',
          formatCount(allowance.left),
          `of ${formatCount(allowance.total)}${allowance.source === 'estimate' ? ', estimated' : ''}`,
        ),
  ]}`;
}

function tile(label: string, value: string, remark: string | Html): Html {
  return html`<div class="tile"><dt>${label}</dt><dd><b>${value}</b><small>${remark}</small></dd></div>`;
}

function delays({ sample, throttles, watchingSinceMs }: OverviewState, frame: Frame): Html {
  const { maxInFlight } = paceOf(sample, frame);
  const { queue, ledger, control } = sample;
  const isThrottled = control.backoffReason === 'throttled' && control.backoffUntilMs > sample.storeNowMs;
  const lowered = control.maxInFlight === null ? '' : `, ${control.maxInFlight} of ${maxInFlight} requests at once`;
  return html`${[
    pair(
      'Limited by Zoho',
      isThrottled ? 'now' : formatCount(throttles),
      isThrottled ? `waiting${lowered}` : html`times since ${time(watchingSinceMs, 'time')}${lowered}`,
    ),
    pair('Will retry', formatCount(Math.max(0, queue.delayed - ledger.uncertain)), 'rows that wait for their next try'),
    pair('Sending now', formatCount(ledger.sending), 'sent, answer to come'),
  ]}`;
}

function pair(label: string, value: string, remark: string | Html): Html {
  return html`<div><dt>${label}<small>${remark}</small></dt><dd>${value}</dd></div>`;
}

function minuteRows({ history }: OverviewState): Html {
  const list = minutes(history);
  if (list.length === 0) return html`<tr><td colspan="3">Nothing was measured yet.</td></tr>`;
  return html`${list.map(
    ({ startMs, perSecond, inFlight }) =>
      html`<tr><th scope="row">${time(startMs, 'time')}</th><td>${rate(perSecond)}</td><td>${formatCount(inFlight)}</td></tr>`,
  )}`;
}
