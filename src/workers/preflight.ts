import type { Logger } from '../lib/logger.js';
import type { Store } from '../lib/store/store.js';
import type { AccountReads } from '../lib/zoho/account-reads.js';

export interface PreflightOptions {
  readonly reads: Pick<AccountReads, 'enrichments' | 'configs'>;
  readonly store: Pick<Store, 'scanLedger'>;
  /** CRM module of the rows. */
  readonly module: string;
  readonly log: Logger;
}

/**
 * What a worker should say before it spends anything: that the org has enrichments which this ledger does not know, that the
 * token cannot read, that a field is not mapped. Two calls at most; never rejects, and stops nothing.
 */
export async function preflight({ reads, store, module, log }: PreflightOptions): Promise<void> {
  try {
    const [found, page] = [await reads.enrichments(), await store.scanLedger(null, 1)];
    if (found.kind === 'forbidden' && found.code === 'OAUTH_SCOPE_MISMATCH') {
      log.warn('account.cannot-read', {
        message:
          'The refresh token lacks the scope ZohoCRM.settings.intelligence.READ: uncertain rows will be held, and results are not collected. Make one with it: npm run login.',
      });
    }
    const isEmpty = page.cursor === null && page.entries.size === 0;
    if (isEmpty && found.kind === 'read' && found.value.items.length > 0) {
      log.warn('ledger.empty', {
        message:
          'The ledger is empty, but the org has enrichments already: rows that were enriched from another store are paid for again. If there is another ledger, import it first (npm run ledger).',
      });
    }
    // Where even the list cannot be had, the workers themselves will say why.
    if (found.kind === 'read' || found.kind === 'forbidden') await lookAtMapping(reads, module, log);
  } catch (error) {
    log.warn('preflight.failed', { message: error instanceof Error ? error.message : String(error) });
  }
}

async function lookAtMapping(reads: PreflightOptions['reads'], module: string, log: Logger): Promise<void> {
  const configs = await reads.configs();
  if (configs.kind !== 'read') return;
  const config = configs.value.find((one) => one.module === module && one.active);
  const unmapped = config?.unmapped ?? [];
  if (unmapped.length === 0) return;
  log.warn('account.unmapped-fields', {
    fields: unmapped.join(),
    message: `Not mapped for ${module} in Zoho's data enrichment: ${unmapped.join(', ')}. A row that has such a value stops the fleet; map it in Setup, Zia, or enqueue with --map ${unmapped[0]}=`,
  });
}
