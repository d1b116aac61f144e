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
  /** The store lost more meanwhile: who owns what has to be asked anew. */
  | { readonly kind: 'overtaken' }
  | ListFailure;

/**
 * The look of the leader for all: reads Zoho's list back to the store's last sign of life and keeps what nobody owns as
 * orphans, for `admit` to decide by.
 */
export class LostHistory {
  readonly #deps: LostHistoryDeps;
  readonly #history: Document<History>;
  #toldOf = 0;

  constructor(deps: LostHistoryDeps) {
    this.#deps = deps;
    this.#history = deps.store.document('history');
  }

  /** To be taken while a look is due; `unavailable` when Zoho could not be asked. */
  async step(): Promise<'looked' | 'unavailable'> {
    const { value, nowMs } = await this.#history.read();
    const due = value?.look ?? null;
    if (due === null) return 'looked';
    if (this.#toldOf !== due.sinceMs) this.#deps.log.warn('history.look-due', { sign: due.sign, since: since(due) });
    this.#toldOf = due.sinceMs;
    const missing = this.#deps.workers().filter((id) => !due.back.includes(id));
    if (missing.length > 0 && nowMs < due.sinceMs + WAIT_FOR_WORKERS_MS) return 'looked';
    if (due.round === 2 && nowMs < due.sinceMs + this.#deps.timing.claimLostAfterMs) return 'looked';
    const round = await this.#look(due);
    if (round.kind === 'overtaken') return 'looked';
    if (round.kind !== 'looked') return this.#refused(due, round);
    if (round.unproven > 0) await this.#stopForAPerson('UNOWNED_ENRICHMENTS', unownedMessage(round.unproven, due));
    // Another worker may have seen a stronger sign meanwhile; what was read stays read.
    const sign = (await this.#history.read()).value?.look?.sign ?? due.sign;
    const again = due.round === 1 && (sign === 'lost' || missing.length > 0 || round.orphans > 0);
    if (!again) return this.#over({ ...due, sign }, round.orphans);
    await this.#change(due, (now) => ({ ...now, round: 2, backTo: { storeMs: nowMs, zohoMs: round.zohoNowMs } }));
    return 'looked';
  }

  async #look(due: HistoryLook): Promise<Round> {
    const listed = await this.#deps.look.list(due.backTo, this.#deps.goOn);
    if (listed.kind !== 'listed') return listed;
    const owners = await this.#ownersOf(listed.items, due);
    const ours = await this.#usersOf(listed.items.filter(({ id }) => owners.has(id)));
    const unowned = listed.items.filter(
      ({ id, createdBy }) => !owners.has(id) && (createdBy === null || ours.size === 0 || ours.has(createdBy)),
    );
    const isProven = unowned.length === 0 || (await this.#proveEcho(owners, unowned));
    if (typeof isProven !== 'boolean') return isProven;
    const { value: history, nowMs: sinceMs } = await this.#history.read();
    if (!isSameLook(history, due)) return { kind: 'overtaken' };
    let unproven = 0;
    for (let at = 0; at < unowned.length; at += ORPHANS_AT_ONCE) {
      await this.#change(due, (now) => ({ ...now, progress: { orphans: unowned.length, asked: at, sinceMs } }));
      const kept = await this.#keep(unowned.slice(at, at + ORPHANS_AT_ONCE), !isProven);
      if (typeof kept !== 'number') return kept;
      unproven += kept;
    }
    return { kind: 'looked', orphans: unowned.length, unproven, zohoNowMs: listed.zohoNowMs };
  }

  /**
   * Who owns what is listed. A row that Zoho had accepted when the store went away, and whose answer is still on its way to a
   * live worker, would look like an orphan and cost a second look: where nothing was lost, such answers are waited for.
   */
  async #ownersOf(items: readonly Listed[], due: HistoryLook): Promise<ReadonlyMap<EnrichmentId, IdentityKey>> {
    const ids = items.map(({ id }) => id);
    const untilMs = due.sign === 'lost' ? 0 : performance.now() + WAIT_FOR_ANSWERS_MS;
    for (;;) {
      const owners = await this.#deps.store.owners(ids);
      if (owners.size === ids.length || performance.now() > untilMs || !(await this.#deps.goOn())) return owners;
      if ((await this.#deps.store.counts()).sending === 0) return this.#deps.store.owners(ids);
      await sleep(ASK_AGAIN_MS);
    }
  }

  /** Keeps these as orphans, except those that have an owner by now; returns how many no row can be compared with. */
  async #keep(items: readonly Listed[], isUnproven: boolean): Promise<number | ListFailure> {
    const ids = items.map(({ id }) => id);
    const [owners, known] = await Promise.all([this.#deps.store.owners(ids), this.#deps.store.orphans(ids)]);
    const fresh = items.filter(({ id }) => !owners.has(id) && !known.has(id));
    const echoes = await this.#deps.look.echoes(
      fresh.map(({ id }) => id),
      this.#deps.goOn,
    );
    if ('kind' in echoes) return echoes;
    const orphans = fresh.flatMap(({ id, createdAtMs }): Orphan[] => {
      const echo = echoes.get(id);
      return echo && !isEmptyEcho(echo) ? [{ id, createdAtMs, echo }] : [];
    });
    await this.#deps.store.addOrphans(orphans, isUnproven);
    return isUnproven ? fresh.length : fresh.length - orphans.length;
  }

  /** The users that are known to have made an enrichment of this ledger. */
  async #usersOf(owned: readonly Listed[]): Promise<ReadonlySet<string>> {
    const { value } = await this.#deps.document.change((state) => {
      const known = state?.users ?? [];
      const seen = new Set([...known, ...owned.flatMap(({ createdBy }) => createdBy ?? [])]);
      return state === null || seen.size === known.length ? undefined : { ...state, users: [...seen] };
    });
    return new Set(value?.users ?? []);
  }

  /** The positive control, made on the spot: does Zoho's echo of a known id equal what was sent? */
  async #proveEcho(
    owners: ReadonlyMap<EnrichmentId, IdentityKey>,
    unowned: readonly Listed[],
  ): Promise<boolean | ListFailure> {
    const listed = [...(await this.#deps.store.entries([...owners.values()].slice(0, CONTROLS))).values()];
    const others = listed.length > 0 ? [] : (await this.#deps.store.scanLedger(null, CONTROLS_AMONG)).entries.values();
    const known = [...listed, ...others].flatMap(({ enrichmentId: id, sent }) =>
      id === undefined || isEmptyEcho(sent) ? [] : [{ id, sent }],
    );
    for (const { id, sent } of known.slice(0, CONTROLS)) {
      const echoes = await this.#deps.look.echoes([id], this.#deps.goOn);
      if ('kind' in echoes) return echoes;
      const echo = echoes.get(id);
      if (echo && !isEmptyEcho(echo)) return isEchoOf(echo, sent);
    }
    return this.#proveByOpenClaim(unowned);
  }

  /**
   * The control where no id is known yet, because a worker died with the very first rows on the wire: an echo that equals what
   * an open claim sent.
   */
  async #proveByOpenClaim(unowned: readonly Listed[]): Promise<boolean | ListFailure> {
    const [sending, uncertain] = await Promise.all([
      this.#deps.store.sending(CONTROLS_AMONG),
      this.#deps.store.uncertain({ held: false, limit: CONTROLS_AMONG }),
    ]);
    const open = [...sending.values(), ...uncertain.values()].filter(({ sent }) => !isEmptyEcho(sent));
    if (open.length === 0) return false;
    const ids = unowned.slice(0, CONTROLS_AMONG).map(({ id }) => id);
    const echoes = await this.#deps.look.echoes(ids, this.#deps.goOn);
    if ('kind' in echoes) return echoes;
    return [...echoes.values()].some((echo) => echo !== null && open.some(({ sent }) => isEchoOf(echo, sent)));
  }

  async #refused(due: HistoryLook, { kind, code }: ListFailure): Promise<'looked' | 'unavailable'> {
    if (kind === 'forbidden' && MAY_NOT_READ.has(code)) {
      if (due.sign === 'start') this.#deps.log.warn('history.not-looked', { code });
      else await this.#stopForAPerson('SERVER_CHANGED', unreadableMessage(due));
      return this.#over(due, 0);
    }
    if (code !== 'INTERRUPTED') this.#deps.log.warn('history.look-unavailable', { code });
    return 'unavailable';
  }

  async #over(due: HistoryLook, orphans: number): Promise<'looked'> {
    // Before anything is sent: what is left of the allowance has to be asked for anew.
    await changeControl(this.#deps.store.control, reserveForgotten);
    await this.#history.change((now) =>
      now && isSameLook(now, due) && now.look?.sign === due.sign ? lookOver(now) : undefined,
    );
    this.#deps.log.info('history.looked', { sign: due.sign, round: due.round, orphans });
    return 'looked';
  }

  async #change(due: HistoryLook, next: (look: HistoryLook) => HistoryLook): Promise<void> {
    await this.#history.change((now) =>
      now?.look && isSameLook(now, due) ? { ...now, look: next(now.look) } : undefined,
    );
  }

  async #stopForAPerson(code: string, message: string): Promise<void> {
    await changeControl(this.#deps.store.control, (control, nowMs) =>
      stopped(control, { code, message, sinceMs: nowMs, key: null, line: null }),
    );
    this.#deps.log.error('history.not-looked', { code, message });
  }
}

const since = ({ backTo }: HistoryLook) => new Date(backTo.zohoMs ?? backTo.storeMs).toISOString();

function unreadableMessage(due: HistoryLook): string {
  return `The store restarted or lost its last writes, and without the READ scope nobody can look up which rows Zoho got since ${since(due)}; compare with Zoho's list of enrichments, then resume.`;
}

function unownedMessage(count: number, due: HistoryLook): string {
  return `The store lost writes, and Zoho has ${count} enrichments since ${since(due)} that no row can be told from, because what Zoho shows of a known one is not what was sent; import an export of the ledger if there is one, compare with Zoho's list, then resume.`;
}
