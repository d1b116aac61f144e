import { html } from 'hono/html';
import type { StopReason } from '../lib/core/control.js';
import { formatRows } from '../lib/core/format.js';
import { rowGroups, rowsLeft } from './figures.js';
import { type Html, time, withCode } from './markup.js';
import type { OverviewState } from './monitor.js';

/** What the fleet does, for the state card, the header and the tab. */
export interface FleetState {
  readonly kind: 'sending' | 'idle' | 'waiting' | 'paused' | 'stopped' | 'away';
  /** In the header: a word or two. */
  readonly word: string;
  readonly title: string;
  readonly text: Html;
  /** Present when the fleet is stopped. */
  readonly stop: StopReason | null;
}

const START_WORKER = html`start one with <code>npm run worker</code>, or this dashboard with <code>npm run dashboard -- --work</code>`;

export function fleetState(overview: OverviewState): FleetState {
  const { sample, problem } = overview;
  const { control, fleetStats, queue, ledger, storeNowMs } = sample;
  if (problem !== null) {
    return state(
      'away',
      'No contact',
      'Can’t reach the queue',
      html`The figures below are from ${time(problem.sinceMs, 'time')}; this page recovers on its own. ${problem.message}`,
    );
  }
  if (control.mode === 'stopped' && control.stop !== null) return stopped(control.stop);
  const lifted = control.stop === null ? null : `The stop with ${control.stop.code} is lifted`;
  if (rowsLeft(queue) === 0) return nothingToSend(overview, lifted);
  if (fleetStats.workers === 0) {
    const text = html`${lifted === null ? '' : `${lifted}, but `}${lifted === null ? 'Nothing' : 'nothing'} will be sent until a worker runs: ${START_WORKER}.`;
    return state('waiting', 'No worker', 'No worker is running', text);
  }
  if (control.mode === 'canary') {
    const why = lifted ?? 'Zoho could not be reached';
    return state(
      'waiting',
      'Testing',
      'Testing with one row first',
      html`${why}. If Zoho accepts the row, the rest follows.`,
    );
  }
  if (control.backoffUntilMs > storeNowMs) {
    const why = control.backoffReason === 'throttled' ? 'Zoho is limiting us.' : 'Zoho can’t be reached.';
    const text = html`${why} Continues automatically at ${time(control.backoffUntilMs, 'time')}.`;
    return state(
      'waiting',
      'Waiting',
      control.backoffReason === 'throttled' ? 'Zoho is limiting us' : 'Zoho can’t be reached',
      text,
    );
  }
  const more = ledger.pending === 0 ? '' : ` ${formatRows(ledger.pending)} sent, result to come.`;
  return state('sending', 'Sending', 'Sending', html`Rows are sent to Zoho.${more}`);
}

function nothingToSend(overview: OverviewState, lifted: string | null): FleetState {
  const { fleetStats, ledger } = overview.sample;
  const { pending } = ledger;
  if (pending > 0 && fleetStats.workers === 0) {
    const text = html`All rows are sent, but no worker is running to collect their results: ${START_WORKER}.`;
    return state('waiting', 'No worker', `Waiting for ${results(pending)}: no worker is running`, text);
  }
  if (pending > 0) {
    const text = html`All rows are sent. Zoho’s results usually follow within minutes.`;
    return state('waiting', 'Waiting for results', `Waiting for ${results(pending)}`, text);
  }
  if (lifted !== null) {
    return state('idle', 'All done', 'All done', html`${lifted}. No row is waiting; the next one goes alone.`);
  }
  const total = rowGroups(overview.sample).reduce((sum, group) => sum + group.rows, 0);
  if (total === 0) return state('idle', 'Nothing yet', 'Nothing is queued yet', html`Add a file below.`);
  if (ledger.held > 0) {
    return state(
      'waiting',
      'Your decision',
      `${formatRows(ledger.held)} ${ledger.held === 1 ? 'needs' : 'need'} your decision`,
      html`Everything else is done. See Problems below.`,
    );
  }
  return state('idle', 'All done', 'All done', html`Every row is sent, and every result is here.`);
}

function results(count: number): string {
  return count === 1 ? '1 result' : `${formatRows(count).replace(/ rows$/, '')} results`;
}

function stopped(stop: StopReason): FleetState {
  if (stop.code === 'PAUSED') {
    return {
      ...state(
        'paused',
        'Paused',
        'Paused',
        html`${withCode(stop.message)} Since ${time(stop.sinceMs, 'time')}. No rows were lost. Press Resume when you are ready.`,
      ),
      stop,
    };
  }
  return { ...state('stopped', 'Stopped', 'Stopped', html`${advice(stop.code)} No rows were lost.`), stop };
}

function state(kind: FleetState['kind'], word: string, title: string, text: Html): FleetState {
  return { kind, word, title, text, stop: null };
}

function advice(code: string): string {
  if (code === 'LIMIT_EXCEEDED') return 'Wait for new allowance, or ask Zoho for more, then press Resume.';
  if (code === 'BUDGET_SPENT') return 'Set a new budget below, then press Resume.';
  if (code === 'RESERVE_REACHED') return 'Wait for new allowance, or keep less of it back, then press Resume.';
  return 'Fix this, then press Resume.';
}

/** The share of rows that are sent, for the tab's title; null when there are none. */
export function percentSent({ sample }: OverviewState): number | null {
  const total = rowGroups(sample).reduce((sum, group) => sum + group.rows, 0);
  return total === 0 ? null : Math.floor(((total - rowsLeft(sample.queue)) / total) * 100);
}
