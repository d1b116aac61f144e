import { randomUUID } from 'node:crypto';
import { createCommandCalls } from '../lib/zoho/paced-calls.js';
import { createRecordQueries, type RecordQueries } from '../lib/zoho/record-queries.js';
import { commandLimits } from './command-zoho.js';
import type { Session } from './session.js';
import { note } from './terminal.js';

/** How long one call waits for the pace and a permit. */
const CALL_PATIENCE_MS = 30_000;
/** Before the first answer the network is rather wrong than away for a moment. */
const PATIENCE_MS = { first: 30_000, later: 15 * 60_000 };
const RETRY_MS = 1_000;

/** Queries of the session's account, in the pace of its fleet; waits are told on the terminal. */
export async function openQueries(session: Session, module: string): Promise<RecordQueries> {
  const { engine, config, shutdown } = session;
  const { tokens, readApi } = await session.zoho();
  const calls = createCommandCalls({
    tokens,
    store: engine.store,
    limits: commandLimits(config.work),
    callerId: `query-${randomUUID().slice(0, 13)}`,
    patienceMs: CALL_PATIENCE_MS,
  });
  return createRecordQueries({
    calls,
    readApi,
    module,
    patienceMs: PATIENCE_MS,
    retryMs: RETRY_MS,
    onWait: (code, waitMs) => note(`Zoho does not answer the query (${code}); trying again in ${waitMs / 1_000} s.`),
    signal: shutdown.signal,
  });
}
