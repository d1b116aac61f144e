import { aliasRank, knownHeaders } from '../core/column-aliases.js';
import { type ColumnValues, likenessOf, looksLikeEmail, looksLikeWebsite } from '../core/column-values.js';
import { type ColumnMapping, MAPPED_FIELDS } from '../core/columns.js';
import type { Finding } from '../core/input-check.js';
import { INPUT_FIELDS } from '../core/input-fields.js';
import { UsageError } from '../errors.js';
import type { ColumnSample, SampledSource } from './sample-columns.js';

/**
 * Throws UsageError when a line below the header looks more like it, or when the header looks like a row. `chosen`: somebody
 * has said which columns to use, and titles above a header are no reason to doubt it.
 */
export function assertHeaderLikely(source: SampledSource, { first }: ColumnSample, chosen: boolean): void {
  const { headers, headerLine = 1, path = 'the file' } = source;
  const known = knownHeaders(headers);
  const counts = first.map(({ cells, problem }) => (problem?.code === 'UNREADABLE' ? 0 : knownHeaders(cells)));
  const most = Math.max(0, ...counts);
  const better = first[counts.indexOf(most)];
  if (!chosen && better !== undefined && most > known && (most > 1 || known === 0)) {
    const { lineNumber } = better;
    throw new UsageError(
      'HEADER_ELSEWHERE',
      `Line ${lineNumber} of ${path} looks like the header: remove the lines above it or use --header-line ${lineNumber}.`,
    );
  }
  if (
    looksLikeRow(
      headers,
      first.map(({ cells }) => cells),
    )
  ) {
    throw new UsageError(
      'NO_HEADER',
      `Line ${headerLine} of ${path} does not look like a header but like a row: put a line above it that names the columns, such as name,website,email.`,
    );
  }
}

/** An email address is no header; nor is a web address above web addresses. */
function looksLikeRow(headers: readonly string[], rows: readonly (readonly string[])[]): boolean {
  return headers.some((header, at) => {
    const text = header.trim();
    if (MAPPED_FIELDS.some((field) => aliasRank(field, text) !== -1)) return false;
    if (looksLikeEmail(text)) return true;
    if (!looksLikeWebsite(text)) return false;
    const filled = rows.map((cells) => (cells[at] ?? '').trim()).filter((cell) => cell !== '');
    return filled.length > 0 && filled.filter(looksLikeWebsite).length > filled.length / 2;
  });
}

/** UNLIKELY_COLUMN where the values of several columns look like each other's fields; a person has to say which is which. */
export function swappedColumns(
  columns: ColumnMapping,
  values: readonly (ColumnValues | undefined)[],
): readonly Finding[] {
  const wrong = INPUT_FIELDS.flatMap((field) => {
    const own = values[columns[field] ?? -1];
    const like = own === undefined ? null : likenessOf(own);
    return like === null || like === field ? [] : [{ field, like }];
  });
  // One column alone that holds something else is told by its values; two that could change places are a mistake.
  const swapped = wrong.filter(({ like }) => wrong.some(({ field }) => field === like));
  if (swapped.length === 0) return [];
  const fields = swapped.map(({ field }) => field);
  return [{ code: 'UNLIKELY_COLUMN', count: fields.length, lines: [], fields, swapped: true }];
}
