import type { IdentityKey } from '../lib/core/ids.js';
import type { LedgerEntry } from '../lib/core/ledger.js';
import { resultCells } from '../lib/core/result-columns.js';
import type { Engine } from '../lib/engine/engine.js';
import { entryOutcomes } from './chunk-outcomes.js';
import type { ExportChoices, ExportReport } from './export-file.js';
import { cellText } from './export-record.js';
import { createWriter, type ExportedRecord } from './export-writer.js';
import { createReportTally, type ReportTally } from './file-report.js';
import { createSeenKeys } from './seen-keys.js';
import { resolveTarget, writeTo } from './write-file.js';

export interface LedgerExportOptions extends ExportChoices {
  readonly engine: Engine;
}

/** Headers that `enqueue` finds again: an export of the ledger can be enqueued. */
const HEADERS = ['Company', 'Email', 'Website', 'Record Id', 'Module'] as const;
const PAGE = 1_000;
/** There is no input whose permissions it could have. */
const OWNER_ALONE = 0o600;

/**
 * Writes everything the ledger holds: every row ever sent, in no order, with the values sent and its outcome. Rows that
 * were queued and never sent are not in it. Like `exportFile` otherwise; goes to `zia-ledger.csv` by default.
 */
export async function exportLedger(options: LedgerExportOptions): Promise<ExportReport> {
  const { format = 'csv', out = `zia-ledger.${format}` } = options;
  const target = await resolveTarget(out, null, { named: options.out !== undefined });
  const tally = createReportTally();
  const counted = { written: 0 };
  await writeTo(target, ledgerText({ ...options, format }, tally, counted), {
    signal: options.signal,
    mode: OWNER_ALONE,
  });
  return { out, ...counted, kept: null, ...tally.report() };
}

async function* ledgerText(
  { engine, format, only, onProgress }: LedgerExportOptions,
  tally: ReportTally,
  counted: { written: number },
): AsyncGenerator<string> {
  const headers = { headers: HEADERS, headerRaw: HEADERS.join(','), width: HEADERS.length };
  const writer = createWriter(format ?? 'csv', { ...headers, delimiter: ',', lineEnd: '\r\n', marked: true });
  const seen = createSeenKeys();
  yield writer.head;
  let cursor: string | null = null;
  let done = 0;
  do {
    const page = await engine.store.scanLedger(cursor, PAGE);
    const entries = new Map([...page.entries].filter(([key]) => seen.add(key)));
    const outcomes = await entryOutcomes(entries, engine);
    const texts = [...entries].flatMap(([key, entry]) => {
      const outcome = outcomes.get(key);
      if (outcome === undefined) throw new Error('An entry of the page has no outcome.');
      const found = resultCells(outcome.data);
      tally.add(key, outcome, found);
      const isWritten = only === undefined || only.includes(outcome.status);
      return isWritten ? [writer.record(recordOf(key, entry), outcome, found)] : [];
    });
    counted.written += texts.length;
    yield texts.join('');
    done += entries.size;
    onProgress?.(done);
    cursor = page.cursor;
  } while (cursor !== null);
}

function recordOf(key: IdentityKey, { sent }: LedgerEntry): ExportedRecord {
  const cells = [sent.name, sent.email, sent.website, sent.recordId, sent.module].map((cell) => cell ?? '');
  return { key, cells, raw: cells.map((cell) => cellText(cell, ',')).join(','), damaged: false };
}
