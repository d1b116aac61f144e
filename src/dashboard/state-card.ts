import { html } from 'hono/html';
import type { StopReason } from '../lib/core/control.js';
import { formatCount } from '../lib/core/format.js';
import { budgetWords } from './budget-card.js';
import { paceOf, rowGroups } from './figures.js';
import { fleetState } from './fleet-state.js';
import type { Frame } from './frame.js';
import { type Html, time, withCode } from './markup.js';
import type { OverviewState } from './monitor.js';

/** What needs a person: the queue cannot be read, or the fleet is stopped; empty when neither is so. */
export function alarm(overview: OverviewState, frame: Frame): Html {
  const { kind, title, text, stop } = fleetState(overview);
  if (kind === 'away') return html`<div class="banner stopped"><h2>${title}</h2><p>${text}</p></div>`;
  return kind === 'stopped' && stop !== null ? stopBanner(stop, text, overview, frame) : html``;
}

/** What the fleet does while nothing needs a person, with Pause, Resume and its pace. */
export function doing(overview: OverviewState, frame: Frame): Html {
  const { kind, title, text } = fleetState(overview);
  if (kind === 'away' || kind === 'stopped') return html``;
  const color = { sending: 'running', idle: 'idle', waiting: 'waiting', paused: 'waiting' }[kind];
  const isEmpty = rowGroups(overview.sample).every((group) => group.rows === 0);
  return html`<div class="banner ${color}" ${isEmpty ? html`data-empty` : ''}><h2>${title}</h2><p>${text}</p>
    <p class="quiet">${paceWords(overview, frame)}</p>
    ${frame.readOnly ? '' : kind === 'paused' ? resumeButton() : pauseButton()}</div>`;
}

/** The fleet's pace, whatever this dashboard's own settings are. */
function paceWords({ sample }: OverviewState, frame: Frame): string {
  const { ratePerSecond, maxInFlight } = paceOf(sample, frame);
  const calls = sample.control.maxInFlight ?? maxInFlight;
  const pace = `Pace of the fleet: at most ${formatCount(ratePerSecond)} calls a second, ${formatCount(calls)} at once.`;
  return sample.budget === null ? pace : `${pace} ${budgetWords(sample)}`;
}

function pauseButton(): Html {
  return html`<form method="post" action="/pause"><button>Pause</button></form>`;
}

/** Without a script the page is loaded again with its dialog open. */
function resumeButton(): Html {
  return html`<form method="get" action="/"><button id="resume-open" class="primary" name="ask" value="resume" data-opens="resume-dialog">Resume …</button></form>`;
}

/** Raised before anything is sent: trying again costs nothing, and tells nothing of Zoho. */
const OWN_STOPS = new Set(['BUDGET_SPENT', 'RESERVE_REACHED', 'RESERVE_UNKNOWN']);

function stopBanner(stop: StopReason, text: Html, { sample, triedAgain }: OverviewState, { readOnly }: Frame): Html {
  const isTry = !OWN_STOPS.has(stop.code);
  const isSame = isTry && triedAgain?.code === stop.code && triedAgain.epoch === sample.control.epoch;
  return html`<div class="banner stopped">
    <h2>Stopped: <code>${stop.code}</code></h2>
    ${isSame ? html`<p><b>Tried again at ${time(stop.sinceMs, 'time')}: still ${stop.code}.</b> That try cost one call and no enrichment.</p>` : ''}
    <dl class="facts">
      <div><dt>Why</dt><dd>${withCode(stop.message)}</dd></div>
      <div><dt>Since</dt><dd>${time(stop.sinceMs)}</dd></div>
      ${stop.key === null ? '' : html`<div><dt>Row</dt><dd><a href="/rows/${stop.key}">${rowWords(stop, sample.stoppedCompany)}</a></dd></div>`}
      <div><dt>What to do</dt><dd>${text}</dd></div>
    </dl>
    ${readOnly ? html`<p>This dashboard is view-only; <code>npm run resume</code> goes on.</p>` : resumeButton()}
  </div>`;
}

/** `Bluestone Textiles · line 26`: a line alone may be one of any file. */
function rowWords({ line }: StopReason, company: string | null): string {
  const words = [...(company === null ? [] : [company]), ...(line === null ? [] : [`line ${formatCount(line)}`])];
  return words.join(' · ') || 'the row';
}

/** Asks before anything is sent again. `isOpen`: the page was asked for with it, for want of a script. */
export function resumeDialog(overview: OverviewState, isOpen: boolean): Html {
  return html`<dialog id="resume-dialog" aria-labelledby="resume-title" ${isOpen ? html`open` : ''}>
    <h2 id="resume-title">Resume sending?</h2>
    <p id="resume-stop">${stopToLift(overview)}</p>
    <p>We test with one row. If Zoho accepts it, the rest follows; if not, everything stays stopped.</p>
    <div class="actions">
      <form method="dialog"><button>Not yet</button></form>
      <form method="post" action="/resume" id="resume"><button class="primary">Resume</button></form>
    </div>
  </dialog>`;
}

/** What would be lifted, and for the form which stop that is: the page may be older than the latest one. */
export function stopToLift({ sample }: OverviewState): Html {
  const { stop, epoch, mode } = sample.control;
  const isStopped = mode === 'stopped' && stop !== null;
  return html`${isStopped ? html`Stopped: <code>${stop.code}</code>, ${time(stop.sinceMs)}.` : 'Nothing is stopped.'}<input type="hidden" name="epoch" value="${epoch}" form="resume" />`;
}
