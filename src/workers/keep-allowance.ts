import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../lib/logger.js';
import type { Store } from '../lib/store/store.js';
import type { AccountReads } from '../lib/zoho/account-reads.js';
import { type RememberedAllowance, readAllowance, takesTurnToAsk } from '../lib/zoho/allowance.js';

export interface KeepAllowanceDeps {
  readonly store: Pick<Store, 'document' | 'counts'>;
  readonly reads: AccountReads;
  readonly log: Logger;
}

const LOOK_EVERY_MS = 60_000;
/** Older than this, the remembered allowance is asked for again. */
const STALE_MS = 15 * 60_000;

/**
 * Keeps the remembered allowance from growing old until `signal` is aborted: three calls in a quarter of an hour at most,
 * made by one worker of the fleet. An account that may not ask for it is left alone. Never rejects.
 */
export async function keepAllowance(deps: KeepAllowanceDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      if ((await takesTurn(deps)) && (await ask(deps)) === 'refused') return;
    } catch {
      // The engine is away, which others tell; the next look is soon enough.
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

function takesTurn({ store }: KeepAllowanceDeps): Promise<boolean> {
  const document = store.document<RememberedAllowance>('allowance');
  return takesTurnToAsk(document, ({ atMs = 0, askedAtMs = 0 }) => Math.max(atMs, askedAtMs), STALE_MS);
}

/** What Zoho does not tell now leaves what it told before: its age is told with it. */
async function ask({ store, reads, log }: KeepAllowanceDeps): Promise<'asked' | 'refused'> {
  const refusals: string[] = [];
  const noting: typeof reads = {
    ...reads,
    org: async () => {
      const org = await reads.org();
      if (org.kind === 'forbidden') refusals.push(org.code);
      return org;
    },
  };
  const { scheduled } = await store.counts();
  const allowance = await readAllowance(noting, scheduled);
  if (allowance !== null) {
    await store.document<RememberedAllowance>('allowance').change((_, atMs) => ({ atMs, allowance }));
  } else if (refusals.length > 0) {
    log.info('allowance.refused', { code: refusals[0] });
    return 'refused';
  }
  return 'asked';
}
