import { readFile } from 'node:fs/promises';

/** How many rows of the bundled example file are queued, as the file beside it says. */
export async function exampleRows(): Promise<number> {
  const text = await readFile(new URL('../../examples/accounts.expected.json', import.meta.url), 'utf8');
  const expected = JSON.parse(text) as { enriched: number; not_found: number; failed: number };
  return expected.enriched + expected.not_found + expected.failed;
}
