import { randomUUID } from 'node:crypto';
import { requireCredentials } from '../lib/config.js';
import type { TokenState } from '../lib/core/token-lease.js';
import { createAccountCalls } from '../lib/zoho/account-calls.js';
import { openZoho } from '../lib/zoho/open-zoho.js';
import { createRecordQueries, type RecordQueries } from '../lib/zoho/record-queries.js';
import type { Session } from './session.js';
import { note } from './terminal.js';
import { version } from './version.js';

/** A permit of a command that was killed is free again after this time. */
const PERMIT_TTL_MS = 30_000;
/** How long one call waits for the pace and a permit. */
const CALL_PATIENCE_MS = 30_000;
/** Before the first answer the network is rather wrong than away for a moment. */
const PATIENCE_MS = { first: 30_000, later: 15 * 60_000 };
const RETRY_MS = 1_000;

/** Queries of the session's account, in the pace of its fleet; waits are told on the terminal. */
export function openQueries({ account, engine, config, log, shutdown }: Session, module: string): RecordQueries {
  const zoho = openZoho(
    account ?? requireCredentials(config.zoho),
    { requestTimeoutMs: config.work.requestTimeoutMs, userAgent: `zia-bulk-enrich/${version()}` },
    { document: engine.store.document<TokenState>('token'), log },
  );
  shutdown.onClose('zoho', () => zoho.close());
  const calls = createAccountCalls({
    tokens: zoho.tokens,
    store: engine.store,
    limits: {
      callsPerSecond: config.work.ratePerSecond,
      maxInFlight: config.work.maxInFlight,
      permitTtlMs: PERMIT_TTL_MS,
    },
    callerId: `query-${randomUUID().slice(0, 13)}`,
    patienceMs: CALL_PATIENCE_MS,
  });
  return createRecordQueries({
    calls,
    readApi: zoho.readApi,
    module,
    patienceMs: PATIENCE_MS,
    retryMs: RETRY_MS,
    onWait: (code, waitMs) => note(`Zoho does not answer the query (${code}); trying again in ${waitMs / 1_000} s.`),
    signal: shutdown.signal,
  });
}
