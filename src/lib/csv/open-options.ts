import type { Readable } from 'node:stream';
import type { Keepable } from '../core/row.js';

/** How a file is to be read where it does not say so itself. */
export interface CsvFlags {
  /** `--encoding`: its name in place of what the bytes say. */
  readonly encoding?: string | undefined;
  /** `--header-line`: the line, counted from 1, on which the header starts. */
  readonly headerLine?: number | undefined;
  /** `--keep`: values to use although they seem to say nothing; none at all when empty. */
  readonly keep?: readonly Keepable[] | undefined;
}

export interface OpenOptions extends CsvFlags {
  /** Standard input when absent. */
  readonly stdin?: Readable | undefined;
  /** What `--keep` said when a file with these headers was queued; asked where it says nothing now. */
  readonly rememberedKeep?: ((headers: readonly string[]) => Promise<readonly Keepable[] | undefined>) | undefined;
}

/** Values to use although they seem to say nothing, and who said so; null when nobody did. */
export interface Kept {
  readonly keep: readonly Keepable[];
  readonly keepFrom: 'flag' | 'remembered' | null;
}

export async function keptOf(headers: readonly string[], { keep, rememberedKeep }: OpenOptions): Promise<Kept> {
  if (keep !== undefined) return { keep, keepFrom: 'flag' };
  const remembered = await rememberedKeep?.(headers);
  return remembered === undefined ? { keep: [], keepFrom: null } : { keep: remembered, keepFrom: 'remembered' };
}
