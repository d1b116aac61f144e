import { type ColumnMapping, MAPPED_FIELDS, type MappedField } from '../lib/core/columns.js';
import type { FilePreview } from './file-preview.js';

/** Below this share of usable values a column is probably another one. */
const DOUBTFUL_SHARE = 0.7;

/** Fields of whose values too many cannot be sent. */
export function doubtfulFields({ samples }: Pick<FilePreview, 'samples'>): readonly MappedField[] {
  return MAPPED_FIELDS.filter((field) => {
    const sample = samples[field];
    return sample !== undefined && sample.filled > 0 && sample.usable / sample.filled < DOUBTFUL_SHARE;
  });
}

/** The columns by what their values look like; null when that is no change, or two would be the same field. */
export function betterColumns({ samples, columns }: Pick<FilePreview, 'samples' | 'columns'>): ColumnMapping | null {
  if (columns === null) return null;
  const better: Partial<Record<MappedField, number>> = {};
  for (const field of MAPPED_FIELDS) {
    const at = columns[field];
    if (at === undefined) continue;
    const meant = samples[field]?.looksLike ?? field;
    if (better[meant] !== undefined) return null;
    better[meant] = at;
  }
  return MAPPED_FIELDS.every((field) => better[field] === columns[field]) ? null : better;
}
