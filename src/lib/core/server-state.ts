import type { IdentityKey } from './ids.js';
import { type Lease, leaseTaken } from './lease.js';
import type { LedgerEntry, SentFields } from './ledger.js';
import { isEchoOf, type Orphan as Stray } from './reconcile.js';

/**
 * The server a store was last known on. A restart or a failover puts another process behind the store, and that may have
 * lost the last writes: nothing is sent before Zoho's list has shown what was sent since the last sign of life.
 * All times are milliseconds on the store's clock.
 */
export interface ServerState {
  readonly runId: string;
  /** The last sign of life: what is lost was written after it. The store's scripts keep it up to date. */
  readonly aliveMs: number;
  /** Whatever was acknowledged survives a restart: nothing can be lost. */
  readonly durable: boolean;
  /** A change being looked into; null otherwise. */
  readonly change: ServerChange | null;
}

export interface ServerChange {
  /** The server there is now. */
  readonly runId: string;
  /** When it was first seen. */
  readonly sinceMs: number;
  /** The worker that looks into it. */
  readonly leader: Lease;
}

/** A store on a server it had not met: the very first start, or one that came back empty. */
export function serverMet(runId: string, aliveMs: number, durable: boolean): ServerState {
  return { runId, aliveMs, durable, change: null };
}

/**
 * `holder` looks into the change to the server `runId`, or goes on doing so; undefined while another worker does. A change
 * during a change starts anew.
 */
export function changeLed(
  state: ServerState,
  runId: string,
  holder: string,
  nowMs: number,
  leaseMs: number,
): ServerState | undefined {
  const current = state.change?.runId === runId ? state.change : null;
  const leader = leaseTaken(current?.leader ?? null, holder, nowMs, leaseMs);
  return leader && { ...state, change: { runId, sinceMs: current?.sinceMs ?? nowMs, leader } };
}

/**
 * When Zoho's list tells everything: a call whose claim was lost may reach Zoho until that claim would have been taken for
 * lost. On a durable server no claim was lost.
 */
export function lookableAtMs(state: ServerState, claimLostAfterMs: number): number {
  return (state.change?.sinceMs ?? 0) + (state.durable ? 0 : claimLostAfterMs);
}

/** The change was looked into by `holder`: the store belongs to the new server. Undefined when it is not its to say. */
export function changeOver(
  state: ServerState | null,
  holder: string,
  nowMs: number,
  durable: boolean,
): ServerState | undefined {
  if (state?.change?.leader.holder !== holder) return undefined;
  return serverMet(state.change.runId, nowMs, durable);
}

/** A queued row that the ledger does not know, with what would be sent of it. */
export interface UnknownRow {
  readonly key: IdentityKey;
  readonly sent: SentFields;
}

export type StrayFinding =
  /** The only row with these values: the enrichment is its. */
  | { readonly kind: 'adopt'; readonly row: UnknownRow; readonly stray: Stray }
  /** Rows with the same values, told apart by module or record id alone: a person decides. */
  | { readonly kind: 'hold'; readonly row: UnknownRow; readonly stray: Stray }
  /** No queued row has these values: perhaps its job was lost too, and it will be queued again. */
  | { readonly kind: 'keep'; readonly stray: Stray };

/**
 * Whose enrichments these are. `rows` are all queued rows that the ledger does not know and that sent what one of the
 * strays echoes, `doubts` the open entries of the ledger, which the look-up of uncertain rows settles.
 */
export function strayFindings(
  strays: readonly Stray[],
  rows: readonly UnknownRow[],
  doubts: Iterable<LedgerEntry>,
): readonly StrayFinding[] {
  const open = [...doubts];
  const held = new Set<IdentityKey>();
  const adopted = new Set<IdentityKey>();
  return strays.flatMap((stray): StrayFinding[] => {
    const same = rows.filter(({ sent }) => isEchoOf(stray.echo, sent));
    const [only] = same;
    if (only === undefined) return [{ kind: 'keep', stray }];
    if (same.length === 1 && !open.some(({ sent }) => isEchoOf(stray.echo, sent))) {
      if (adopted.has(only.key)) return [{ kind: 'keep', stray }];
      adopted.add(only.key);
      return [{ kind: 'adopt', row: only, stray }];
    }
    const fresh = same.filter(({ key }) => !held.has(key));
    for (const { key } of fresh) held.add(key);
    return fresh.map((row) => ({ kind: 'hold', row, stray }));
  });
}
