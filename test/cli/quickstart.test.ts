import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { type CsvRecord, type CsvSource, openCsv } from '../../src/lib/csv/csv-source.js';
import { cli, startCli } from '../support/cli.js';
import { exampleRows } from '../support/example.js';
import { withScratch } from '../support/scratch.js';
import { testIn } from '../support/suite.js';
import { waitFor } from '../support/wait.js';

testIn.short(
  'quickstart needs nothing, leaves an export with every row of the example, and cleans up',
  () =>
    withScratch(async (cwd) => {
      const { code, stdout, stderr } = await cli(['quickstart'], { cwd, env: { TMPDIR: cwd, ZIA_NONSENSE: '1' } });
      expect([code, stderr]).toEqual([0, expect.stringContaining(`${await exampleRows()} enqueued`)]);
      expect(stdout).toContain(join(cwd, 'quickstart.zia.csv'));
      expect((await readdir(cwd)).sort()).toEqual(['quickstart.rejects.csv', 'quickstart.zia.csv']);

      const exported = openCsv(join(cwd, 'quickstart.zia.csv'));
      const example = openCsv(resolve('examples/accounts.csv'));
      const [output, input] = await Promise.all([recordsOf(await exported), recordsOf(await example)]);
      expect(input.length).toBeGreaterThanOrEqual(200);
      expect(output.map(({ cells }) => cells.slice(0, 2))).toEqual(input.map(({ cells }) => cells.slice(0, 2)));

      // Another reader finds the same cells, and what was found.
      const rows: Record<string, string>[] = parse(await readFile(join(cwd, 'quickstart.zia.csv')), {
        columns: true,
        bom: true,
      });
      expect(rows.map(({ Expected }) => Expected)).toEqual(output.map(({ cells }) => cells[0]));
      const ends = rows.filter(({ Expected }) => Expected !== 'duplicate');
      expect(ends.map(({ zia_status }) => zia_status)).toEqual(ends.map(({ Expected }) => Expected));
      const enriched = rows.filter(({ zia_status }) => zia_status === 'enriched');
      expect(enriched.length).toBeGreaterThan(150);
      expect(
        enriched.filter((row) => !row.zia_country || !row.zia_city || !row.zia_linkedin?.startsWith('https:')),
      ).toEqual([]);
      expect(enriched.every((row) => row.zia_description?.includes(`"${row.zia_city}",\nand beyond.`))).toBe(true);
      expect(enriched.some((row) => row.zia_name?.startsWith("'="))).toBe(true);
      expect(rows.find(({ zia_status }) => zia_status === 'failed')?.zia_error_code).toBe('ENRICHMENT_FAILED');
    }),
  60_000,
);

testIn.long('a quickstart that is interrupted says that there are no results', () =>
  withScratch(async (cwd) => {
    const quickstart = startCli(['quickstart'], { cwd, env: { TMPDIR: cwd } });
    await waitFor(() => quickstart.stderr().includes('enqueued'), { what: 'the first rows' });
    quickstart.child.kill('SIGINT');
    const { code, stderr } = await quickstart.ended;
    expect([code, stderr]).toEqual([130, expect.stringContaining('Stopped before the end: no results were written.')]);
    expect(await readdir(cwd)).not.toContain('quickstart.zia.csv');
  }),
);

testIn.long('sandbox prints how to point a .env at it, serves, and ends with a summary', () =>
  withScratch(async (cwd) => {
    const words = ['sandbox', '--port', '0', '--quota', '3', '--latency', '1-2', '--fault', '429:post:0.5:2'];
    const sandbox = startCli(words, { cwd });
    const url = await waitFor(() => /ZOHO_API_DOMAIN=(\S+)/.exec(sandbox.stderr())?.[1], { what: 'the address' });
    expect(await (await fetch(`${url}/__sandbox/options`)).json()).toMatchObject({
      quota: 3,
      latencyMs: [1, 2],
      faults: [{ kind: '429', on: 'post', share: 0.5, times: 2 }],
    });
    sandbox.child.kill('SIGTERM');
    const { code, stderr } = await sandbox.ended;
    expect(code).toBe(0);
    expect(stderr).toContain('0 submissions');
  }),
);

async function recordsOf(source: CsvSource): Promise<readonly CsvRecord[]> {
  const records: CsvRecord[] = [];
  for await (const batch of source.batches()) records.push(...batch);
  await source.close();
  return records;
}
