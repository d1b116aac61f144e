import { constants, copyFile, link, stat } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { openCsv } from '../lib/csv/csv-source.js';
import type { ExportFormat } from './export-writer.js';
import type { FileCounts } from './file-counts.js';

/** An earlier export that was kept under another name. */
export interface KeptExport {
  readonly path: string;
  /** Its enriched rows. */
  readonly enriched: number;
}

/**
 * Keeps the export at `path` under a name of its own (`accounts.zia-1.csv`) when it has more enriched rows than the one that
 * is to take its place; null when it has not, or is no export. An export whose rows are all through loses nothing, so then
 * the old one is not even read.
 */
export async function keepBetter(path: string, counts: FileCounts, format: ExportFormat): Promise<KeptExport | null> {
  const { submitted, waiting, uncertain, notEnqueued } = counts;
  if (format !== 'csv' || submitted + waiting + uncertain + notEnqueued === 0) return null;
  if (!(await stat(path).catch(() => null))?.isFile()) return null;
  const enriched = await enrichedIn(path);
  if (enriched <= counts.enriched) return null;
  return { path: await keptUnderNumber(path), enriched };
}

/** 0 for a file that is no export of ours, or cannot be read. */
async function enrichedIn(path: string): Promise<number> {
  const source = await openCsv(path).catch(() => null);
  if (source === null) return 0;
  try {
    const at = source.headers.indexOf('zia_status');
    if (at < 0) return 0;
    let enriched = 0;
    for await (const batch of source.batches())
      enriched += batch.filter(({ cells }) => cells[at] === 'enriched').length;
    return enriched;
  } finally {
    await source.close();
  }
}

async function keptUnderNumber(path: string): Promise<string> {
  const { dir, name, ext } = parse(path);
  for (let number = 1; ; number += 1) {
    const kept = join(dir, `${name}-${number}${ext}`);
    try {
      // Not every file system has links.
      await link(path, kept).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') throw error;
        return copyFile(path, kept, constants.COPYFILE_EXCL);
      });
      return kept;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // the file system's own errors
    }
  }
}
