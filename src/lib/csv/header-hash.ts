import { createHash } from 'node:crypto';
import { isAddedColumn } from '../core/added-columns.js';

/** What tells header rows apart. An export, or a file of rejects, has that of the file it came from. */
export function headerHash(headers: readonly string[]): string {
  const own = headers.filter((header) => !isAddedColumn(header));
  return createHash('sha256').update(JSON.stringify(own)).digest('base64url').slice(0, 22);
}
