import { stringify } from 'csv-stringify/sync';
import { countQuery, creditsOf, MAX_RECORDS_A_QUERY, selectQuery } from '../lib/core/coql.js';
import {
  cellOf,
  isChosen,
  markField,
  type PullChoice,
  type PullColumn,
  pullColumns,
  pullConditions,
} from '../lib/core/pull-choice.js';
import { UsageError } from '../lib/errors.js';
import type { QueriedRecord, QueryResult, RecordQueries } from '../lib/zoho/record-queries.js';
import { openPartialFile } from './partial-file.js';

export interface PullOptions {
  readonly queries: RecordQueries;
  readonly choice: PullChoice;
  /** The file to write. */
  readonly out: string;
  /** The most records; null takes all. */
  readonly limit: number | null;
  /** Go on with what an earlier run left; with nothing there, start anew. */
  readonly resume: boolean;
  readonly onProgress: (records: number, total: number) => void;
  /** Something the user should know, in a sentence. */
  readonly onNote: (note: string) => void;
  readonly signal: AbortSignal;
}

export interface PullReport {
  readonly out: string;
  readonly module: string;
  readonly records: number;
  /** API credits used, by Zoho's published prices; an earlier run that was resumed included. */
  readonly credits: number;
}

/** How far the file reaches. */
interface Reached {
  readonly lastId: string | null;
  readonly records: number;
  readonly credits: number;
}

const NOTHING: Reached = { lastId: null, records: 0, credits: 0 };

/**
 * Writes records of the CRM to a CSV file, each once, in the order of their ids. The file appears complete or not at all; what
 * a cut run leaves beside it can be gone on with. Changes nothing in the CRM. Throws `UsageError` for what Zoho refuses.
 */
export async function pullRecords(options: PullOptions): Promise<PullReport> {
  const { choice, out, limit, resume, onProgress, onNote, signal } = options;
  const source = await openSource(options);
  const file = await openPartialFile<Reached>(out, {
    choice: JSON.stringify({ ...choice, limit, header: source.header }),
    resume,
  });
  try {
    let reached = file.resumed ?? NOTHING;
    if (file.resumed !== null) onNote(`Going on after ${reached.records} records of an earlier run.`);
    if (file.resumed === null) await file.append(source.header, reached);
    const total = Math.min(limit ?? Number.POSITIVE_INFINITY, reached.records + (await source.count(reached.lastId)));
    reached = { ...reached, credits: reached.credits + source.creditsUsed() };
    for (let more = total > reached.records; more; ) {
      signal.throwIfAborted();
      const page = await source.page(reached.lastId, limit === null ? null : limit - reached.records);
      reached = {
        lastId: page.lastId ?? reached.lastId,
        records: reached.records + page.lines.length,
        credits: reached.credits + page.credits,
      };
      await file.append(page.lines.join(''), reached);
      onProgress(reached.records, Math.max(total, reached.records));
      more = page.moreRecords && (limit === null || reached.records < limit);
    }
    await file.finish();
    return { out, module: choice.module, records: reached.records, credits: reached.credits };
  } finally {
    await file.close();
  }
}

interface Page {
  readonly lines: readonly string[];
  readonly lastId: string | null;
  readonly moreRecords: boolean;
  readonly credits: number;
}

/** The chosen records of the module, with the columns and filters that its org takes. */
interface Source {
  readonly header: string;
  /** Records after this id. */
  count(afterId: string | null): Promise<number>;
  page(afterId: string | null, wanted: number | null): Promise<Page>;
  /** Credits that opening and counting took. */
  creditsUsed(): number;
}

/** Finds out, by a query of one record, which optional columns and filters the org takes: what it refuses is left out, and told. */
async function openSource({ queries, choice, onNote }: PullOptions): Promise<Source> {
  const mark = markField(choice);
  let columns = pullColumns(choice);
  let filterable = { marks: mark !== null, website: true };
  let readsMark = false;
  let credits = 0;

  const fieldsOf = () => [...columns.map(({ field }) => field), ...(readsMark && mark !== null ? [mark] : [])];

  async function ask(afterId: string | null, limit: number): Promise<Extract<QueryResult, { kind: 'page' }>> {
    for (;;) {
      const conditions = pullConditions(choice, filterable);
      credits += creditsOf(limit);
      const result = await queries.query(
        selectQuery({ module: choice.module, columns: fieldsOf(), conditions, afterId, limit }),
      );
      if (result.kind === 'page') return result;
      goWithout(result.field, result.reason);
    }
  }

  function goWithout(field: string, reason: string): void {
    if (field === mark && filterable.marks) {
      filterable = { ...filterable, marks: false };
      readsMark = true;
      onNote(`Zoho does not take ${field} as a filter here; the records are read and filtered on this machine.`);
      return;
    }
    if (field === mark && readsMark) {
      readsMark = false;
      if (choice.enrichedBeforeMs !== null) throw noField(field, choice.module, reason);
      onNote(`${choice.module} has no field ${field}: records that were enriched before are not told apart.`);
      return;
    }
    const column = columns.find((one) => one.field === field);
    if (!column?.optional) throw noField(field, choice.module, reason);
    columns = columns.filter((one) => one !== column);
    if (field === 'Website') filterable = { ...filterable, website: false };
    onNote(`${choice.module} has no field ${field}: the file goes without that column.`);
  }

  await ask(null, 1);
  return {
    header: line(['Record Id', ...columns.map(({ header }) => header)]),
    creditsUsed: () => credits,
    count: async (afterId) => {
      const after = afterId === null ? [] : [`(id > '${afterId}')`];
      const conditions = [...pullConditions(choice, filterable), ...after];
      credits += 1;
      const counted = await queries.count(countQuery({ module: choice.module, conditions }));
      if (counted.kind === 'count') return counted.count;
      throw noField(counted.field, choice.module, counted.reason);
    },
    page: async (afterId, wanted) => {
      // A page filtered here may hold few that are chosen, so it is taken whole.
      const limit = readsMark || wanted === null ? MAX_RECORDS_A_QUERY : Math.min(MAX_RECORDS_A_QUERY, wanted);
      const before = credits;
      const { records, moreRecords } = await ask(afterId, limit);
      const filter = readsMark ? mark : null;
      const chosen = records.filter((one) => filter === null || isChosen(one.values[filter], choice.enrichedBeforeMs));
      const taken = wanted === null ? chosen : chosen.slice(0, wanted);
      return {
        lines: taken.map((record) => lineOf(record, columns)),
        lastId: records.at(-1)?.id ?? null,
        moreRecords: moreRecords && records.length > 0,
        credits: credits - before,
      };
    },
  };
}

function noField(field: string, module: string, reason: string): UsageError {
  const why = reason.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 100);
  return new UsageError(
    'CRM_NO_FIELD',
    `${module} has no field ${field} that the query can use (${why}): give API names, as Zoho shows them in Setup, Developer Hub, APIs and SDKs, API Names.`,
  );
}

function lineOf({ id, values }: QueriedRecord, columns: readonly PullColumn[]): string {
  return line([id, ...columns.map(({ field }) => cellOf(values[field]))]);
}

/** Cells as they are in the CRM: a leading sign is part of a name, and the file is read back by this program. */
function line(cells: readonly string[]): string {
  return stringify([[...cells]], { record_delimiter: 'unix' });
}
