import type { EnrichedData, FinalStatus } from './ledger.js';

/** How Zoho ends an enrichment. */
export type End = Exclude<FinalStatus, 'UNFINISHED'>;

const ENDS: readonly End[] = ['COMPLETED', 'DATA_NOT_FOUND', 'FAILED'];

/** The end a status of Zoho's tells; null while it is under way, which every status is that nobody documents. */
export function endOf(status: string | null): End | null {
  return ENDS.find((end) => end === status) ?? null;
}

/** Documented results are four levels deep; what is nested much deeper is damage, and would overflow whoever reads it. */
const DEEPEST_LEVEL = 64;

/** Texts longer than this, in characters, are left out of a kept result. */
const MAX_TEXT = 4_096;

/**
 * What is kept of Zoho's answer: without nulls and empty values, what is nested more than 64 deep, without data URIs (logos) and texts of more than 4,096
 * characters unless `keepLarge`. Null when nothing is left.
 */
export function compactResult(
  data: EnrichedData | null,
  { keepLarge }: { readonly keepLarge: boolean },
): EnrichedData | null {
  const kept = data === null ? undefined : compact(data, keepLarge, 0);
  return isObject(kept) ? kept : null;
}

function compact(value: unknown, keepLarge: boolean, depth: number): unknown {
  if (depth > DEEPEST_LEVEL) return undefined;
  if (value === null || value === undefined || value === '') return undefined;
  if (typeof value === 'string') return keepLarge || !isLarge(value) ? value : undefined;
  if (Array.isArray(value)) {
    const items = value.map((item) => compact(item, keepLarge, depth + 1)).filter((item) => item !== undefined);
    return items.length === 0 ? undefined : items;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).flatMap(([name, inner]) => {
    const kept = compact(inner, keepLarge, depth + 1);
    return kept === undefined ? [] : [[name, kept]];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function isLarge(text: string): boolean {
  return text.length > MAX_TEXT || /^data:[\w.+-]+\/[\w.+-]+[;,]/i.test(text);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
