import { setTimeout as sleep } from 'node:timers/promises';
import { stopped } from '../lib/core/control.js';
import { type History, type HistoryLook, isSameLook, lookOver } from '../lib/core/history.js';
import type { EnrichmentId, IdentityKey } from '../lib/core/ids.js';
import { isEchoOf, isEmptyEcho, type Orphan } from '../lib/core/reconcile.js';
import { reserveForgotten } from '../lib/core/spent-out.js';
import type { Logger } from '../lib/logger.js';
import { changeControl } from '../lib/store/change-control.js';
import type { Document, Store } from '../lib/store/store.js';
import type { EnrichmentList, Listed, ListFailure } from './list-enrichments.js';
import type { SweepState } from './sweep-state.js';
import type { Timing } from './timing.js';

export interface LostHistoryDeps {
  readonly store: Store;
  readonly look: EnrichmentList;
  readonly document: Document<SweepState>;
  readonly timing: Timing;
  /** Ids of the workers alive. */
  readonly workers: () => readonly string[];
  /** Renews the lead; false when another worker has it, or this one ends. */
  readonly goOn: () => Promise<boolean>;
  readonly log: Logger;
}

/** Workers that are alive have written back what they know within this time. */
const WAIT_FOR_WORKERS_MS = 3_000;
/** Answers that were under way when the store went away arrive, and are settled, within this time of its return. */
const WAIT_FOR_ANSWERS_MS = 3_000;
const ASK_AGAIN_MS = 100;
const ORPHANS_AT_ONCE = 100;
const CONTROLS = 5;
const CONTROLS_AMONG = 200;
/** Codes of an account that may not read; every other refusal passes when a person has put it right. */
const MAY_NOT_READ = new Set(['OAUTH_SCOPE_MISMATCH', 'NO_PERMISSION']);

type Round =
  /** `unproven`: orphans that no row can be compared with. */
  | { readonly kind: 'looked'; readonly orphans: number; readonly unproven: number; readonly zohoNowMs: number | null }
  | ListFailure;

/**
 * The look of the leader for all: reads Zoho's list back to the store's last sign of life and keeps what nobody owns as
 * orphans, for `admit` to decide by. Returns a step to take while a look is due: `unavailable` when Zoho could not be asked.
 */
export function createHistoryLook(deps: LostHistoryDeps): () => Promise<'looked' | 'unavailable'> {
  const { store, timing, log } = deps;
  const history = store.document<History>('history');
  let toldOf = 0;

  return async () => {
    const { value, nowMs } = await history.read();
    const due = value?.look ?? null;
    if (due === null) return 'looked';
    if (toldOf !== due.sinceMs) log.warn('history.look-due', { sign: due.sign, since: since(due) });
    toldOf = due.sinceMs;
    const missing = deps.workers().filter((id) => !due.back.includes(id));
    if (missing.length > 0 && nowMs < due.sinceMs + WAIT_FOR_WORKERS_MS) return 'looked';
    if (due.round === 2 && nowMs < due.sinceMs + timing.claimLostAfterMs) return 'looked';
    const round = await look(due);
    if (round.kind !== 'looked') return refused(due, round);
    if (round.unproven > 0) await stopForAPerson('UNOWNED_ENRICHMENTS', unownedMessage(round.unproven, due));
    const again = due.round === 1 && (due.sign === 'lost' || missing.length > 0 || round.orphans > 0);
    if (!again) return over(due, round.orphans);
    await change(due, (now) => ({ ...now, round: 2, backTo: { storeMs: nowMs, zohoMs: round.zohoNowMs } }));
    return 'looked';
  };

  async function look(due: HistoryLook): Promise<Round> {
    const listed = await deps.look.list(due.backTo, deps.goOn);
    if (listed.kind !== 'listed') return listed;
    const owners = await ownersOf(listed.items, due);
    const ours = await usersOf(listed.items.filter(({ id }) => owners.has(id)));
    const unowned = listed.items.filter(
      ({ id, createdBy }) => !owners.has(id) && (createdBy === null || ours.size === 0 || ours.has(createdBy)),
    );
    const isProven = unowned.length === 0 || (await proveEcho(owners, unowned));
    if (typeof isProven !== 'boolean') return isProven;
    const sinceMs = (await history.read()).nowMs;
    let unproven = 0;
    for (let at = 0; at < unowned.length; at += ORPHANS_AT_ONCE) {
      await change(due, (now) => ({ ...now, progress: { orphans: unowned.length, asked: at, sinceMs } }));
      const kept = await keep(unowned.slice(at, at + ORPHANS_AT_ONCE), !isProven);
      if (typeof kept !== 'number') return kept;
      unproven += kept;
    }
    return { kind: 'looked', orphans: unowned.length, unproven, zohoNowMs: listed.zohoNowMs };
  }

  /**
   * Who owns what is listed. A row that Zoho had accepted when the store went away, and whose answer is still on its way to a
   * live worker, would look like an orphan and cost a second look: where nothing was lost, such answers are waited for.
   */
  async function ownersOf(items: readonly Listed[], due: HistoryLook): Promise<ReadonlyMap<EnrichmentId, IdentityKey>> {
    const ids = items.map(({ id }) => id);
    const untilMs = due.sign === 'lost' ? 0 : performance.now() + WAIT_FOR_ANSWERS_MS;
    for (;;) {
      const owners = await store.owners(ids);
      if (owners.size === ids.length || performance.now() > untilMs || !(await deps.goOn())) return owners;
      if ((await store.counts()).sending === 0) return store.owners(ids);
      await sleep(ASK_AGAIN_MS);
    }
  }

  /** Keeps these as orphans, except those that have an owner by now; returns how many no row can be compared with. */
  async function keep(items: readonly Listed[], isUnproven: boolean): Promise<number | ListFailure> {
    const ids = items.map(({ id }) => id);
    const [owners, known] = await Promise.all([store.owners(ids), store.orphans(ids)]);
    const fresh = items.filter(({ id }) => !owners.has(id) && !known.has(id));
    const echoes = await deps.look.echoes(
      fresh.map(({ id }) => id),
      deps.goOn,
    );
    if ('kind' in echoes) return echoes;
    const orphans = fresh.flatMap(({ id, createdAtMs }): Orphan[] => {
      const echo = echoes.get(id);
      return echo && !isEmptyEcho(echo) ? [{ id, createdAtMs, echo }] : [];
    });
    await store.addOrphans(orphans, isUnproven);
    return isUnproven ? fresh.length : fresh.length - orphans.length;
  }

  /** The users that are known to have made an enrichment of this ledger. */
  async function usersOf(owned: readonly Listed[]): Promise<ReadonlySet<string>> {
    const { value } = await deps.document.change((state) => {
      const known = state?.users ?? [];
      const seen = new Set([...known, ...owned.flatMap(({ createdBy }) => createdBy ?? [])]);
      return state === null || seen.size === known.length ? undefined : { ...state, users: [...seen] };
    });
    return new Set(value?.users ?? []);
  }

  /** The positive control, made on the spot: does Zoho's echo of a known id equal what was sent? */
  async function proveEcho(
    owners: ReadonlyMap<EnrichmentId, IdentityKey>,
    unowned: readonly Listed[],
  ): Promise<boolean | ListFailure> {
    const listed = [...(await store.entries([...owners.values()].slice(0, CONTROLS))).values()];
    const others = listed.length > 0 ? [] : (await store.scanLedger(null, CONTROLS_AMONG)).entries.values();
    const known = [...listed, ...others].flatMap(({ enrichmentId: id, sent }) =>
      id === undefined || isEmptyEcho(sent) ? [] : [{ id, sent }],
    );
    for (const { id, sent } of known.slice(0, CONTROLS)) {
      const echoes = await deps.look.echoes([id], deps.goOn);
      if ('kind' in echoes) return echoes;
      const echo = echoes.get(id);
      if (echo && !isEmptyEcho(echo)) return isEchoOf(echo, sent);
    }
    return proveByOpenClaim(unowned);
  }

  /**
   * The control where no id is known yet, because a worker died with the very first rows on the wire: an echo that equals what
   * an open claim sent.
   */
  async function proveByOpenClaim(unowned: readonly Listed[]): Promise<boolean | ListFailure> {
    const [sending, uncertain] = await Promise.all([
      store.sending(CONTROLS_AMONG),
      store.uncertain({ held: false, limit: CONTROLS_AMONG }),
    ]);
    const open = [...sending.values(), ...uncertain.values()].filter(({ sent }) => !isEmptyEcho(sent));
    if (open.length === 0) return false;
    const ids = unowned.slice(0, CONTROLS_AMONG).map(({ id }) => id);
    const echoes = await deps.look.echoes(ids, deps.goOn);
    if ('kind' in echoes) return echoes;
    return [...echoes.values()].some((echo) => echo !== null && open.some(({ sent }) => isEchoOf(echo, sent)));
  }

  async function refused(due: HistoryLook, { kind, code }: ListFailure): Promise<'looked' | 'unavailable'> {
    if (kind === 'forbidden' && MAY_NOT_READ.has(code)) {
      if (due.sign === 'start') log.warn('history.not-looked', { code });
      else await stopForAPerson('SERVER_CHANGED', unreadableMessage(due));
      return over(due, 0);
    }
    if (code !== 'INTERRUPTED') log.warn('history.look-unavailable', { code });
    return 'unavailable';
  }

  async function over(due: HistoryLook, orphans: number): Promise<'looked'> {
    // Before anything is sent: what is left of the allowance has to be asked for anew.
    await changeControl(store.control, reserveForgotten);
    await history.change((now) => (now && isSameLook(now, due) ? lookOver(now) : undefined));
    log.info('history.looked', { sign: due.sign, round: due.round, orphans });
    return 'looked';
  }

  async function change(due: HistoryLook, next: (look: HistoryLook) => HistoryLook): Promise<void> {
    await history.change((now) => (now?.look && isSameLook(now, due) ? { ...now, look: next(now.look) } : undefined));
  }

  async function stopForAPerson(code: string, message: string): Promise<void> {
    await changeControl(store.control, (control, nowMs) =>
      stopped(control, { code, message, sinceMs: nowMs, key: null, line: null }),
    );
    log.error('history.not-looked', { code, message });
  }
}

const since = ({ backTo }: HistoryLook) => new Date(backTo.zohoMs ?? backTo.storeMs).toISOString();

function unreadableMessage(due: HistoryLook): string {
  return `The store restarted or lost its last writes, and without the READ scope nobody can look up which rows Zoho got since ${since(due)}; compare with Zoho's list of enrichments, then resume.`;
}

function unownedMessage(count: number, due: HistoryLook): string {
  return `The store lost writes, and Zoho has ${count} enrichments since ${since(due)} that no row can be told from, because what Zoho shows of a known one is not what was sent; import an export of the ledger if there is one, compare with Zoho's list, then resume.`;
}
