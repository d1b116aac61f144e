import type { FileCounts } from '../reports/file-counts.js';
import { table } from './terminal.js';

/** A file's rows by outcome. */
export function fileTable(file: FileCounts): string {
  return table([
    ['  rows', file.rows],
    ['  enriched', file.enriched],
    ['  not found', file.notFound],
    ['  submitted', file.submitted],
    ['  waiting', file.waiting],
    ['  uncertain', file.uncertain],
    ['  failed', file.failed],
    ['  rejected', file.rejected],
    ['  not enqueued', file.notEnqueued],
  ]);
}
