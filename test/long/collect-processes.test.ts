import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { RESULT_COLUMNS, resultCells } from '../../src/lib/core/result-columns.js';
import { compactResult } from '../../src/lib/core/results.js';
import { summarise } from '../../src/sandbox/effects.js';
import { enrichedDataOf, finalStatusOf } from '../../src/sandbox/enriched-data.js';
import { type Scene, withScene } from '../support/cli-scene.js';
import { waitFor } from '../support/wait.js';

const ROWS = 150;
const STATUS = { COMPLETED: 'enriched', DATA_NOT_FOUND: 'not_found', FAILED: 'failed' } as const;
/** What makes a cell of Zoho's harmless. */
const plain = (cell: string) => cell.replace(/^'(?=[=+\-@])/, '');

/** What the sandbox knows of each row: id, outcome, columns. */
function recordOf({ sandbox }: Scene): ReadonlyMap<string | undefined, unknown> {
  return new Map(
    sandbox.enrichments().map(({ id, sent }) => {
      const status = finalStatusOf(sent, sandbox.options);
      const data = status === 'COMPLETED' ? compactResult(enrichedDataOf(sent), { keepLarge: false }) : null;
      return [sent.name, { id, status: STATUS[status], cells: resultCells(data ?? undefined) }];
    }),
  );
}

async function exportOf(t: Scene, file: string): Promise<ReadonlyMap<string | undefined, unknown>> {
  expect((await t.run(['export', file, '--out', 'out.csv'])).code).toBe(0);
  const records: Record<string, string>[] = parse(await readFile(join(t.folder, 'out.csv')), { columns: true });
  return new Map(
    records.map((row) => [
      row.Company,
      {
        id: row.zia_enrichment_id,
        status: row.zia_status,
        cells: RESULT_COLUMNS.map((name) => plain(row[name] ?? '')),
      },
    ]),
  );
}

// The embedded engine has one worker process at a time.
test.each([
  ['redis', 3],
  ['embedded', 1],
] as const)(
  'on the %s engine, %i workers that are killed on the way collect what they would have collected anyway',
  (kind, workers) =>
    withScene(kind, { notFoundShare: 0.2, failedShare: 0.1, completeAfterMs: 1_500, latencyMs: [2, 15] }, async (t) => {
      const file = await t.csv('a.csv', ROWS);
      expect((await t.run(['enqueue', file])).code).toBe(0);
      const env = { ZIA_REQUEST_TIMEOUT_MS: '3000', ZIA_RESULT_POLL_MS: '500' };
      const fleet = Array.from({ length: workers }, () => t.start(['worker'], env));
      const gets = () => summarise(t.sandbox.log()).gets;
      for (const share of [0.1, 0.4]) {
        await waitFor(() => gets() >= share * ROWS, { what: `${share} of the results` });
        for (const [at, worker] of fleet.entries()) {
          worker.child.kill('SIGKILL');
          await worker.ended;
          fleet[at] = t.start(['worker'], env);
        }
      }
      for (const worker of fleet) worker.child.kill('SIGTERM');
      await Promise.all(fleet.map(({ ended }) => ended));
      // Known to the last row, so it submits what the kills left and waits for every result.
      const last = await t.run(['run', file, '--json'], env);
      expect(JSON.parse(last.stdout)).toMatchObject({ enqueue: { enqueued: 0, known: ROWS }, work: { pending: 0 } });

      const theirs = recordOf(t);
      expect(theirs.size).toBe(ROWS);
      expect(await exportOf(t, file)).toEqual(theirs);
      const { accepted, acceptedTwice, lists, gets: asked } = summarise(t.sandbox.log());
      expect([accepted, acceptedTwice]).toEqual([ROWS, 0]);
      expect((lists + asked) / ROWS).toBeLessThanOrEqual(1.1);
    }),
  300_000,
);
