/** A query of records, in the order of their ids, in Zoho's query language COQL. */
export interface Selection {
  /** API name, such as `Accounts`. */
  readonly module: string;
  /** API names of fields; the id comes by itself. At most 50 in one query. */
  readonly columns: readonly string[];
  /** All of them must hold; at least one. */
  readonly conditions: readonly string[];
  /** Only records with a higher id: how pages go on without an end. */
  readonly afterId?: string | null;
  /** 1 to 2,000. */
  readonly limit: number;
}

/** The most records one query returns (Zoho's COQL overview, v7 and v8). */
export const MAX_RECORDS_A_QUERY = 2_000;
/** The most values of one `in` (Zoho's COQL limitations). */
export const MAX_VALUES_OF_IN = 50;

export function selectQuery({ module, columns, conditions, afterId = null, limit }: Selection): string {
  const where = allOf(afterId === null ? conditions : [...conditions, `(id > ${literal(afterId)})`]);
  return `select ${['id', ...columns].join(', ')} from ${module} where ${where} order by id asc limit 0, ${limit}`;
}

export function countQuery({ module, conditions }: Pick<Selection, 'module' | 'conditions'>): string {
  return `select COUNT(id) from ${module} where ${allOf(conditions)}`;
}

/** Joined pairwise in brackets, as Zoho demands of more than two criteria. */
export const allOf = (conditions: readonly string[]): string => joined(conditions, 'and');
export const anyOf = (conditions: readonly string[]): string => joined(conditions, 'or');

function joined(conditions: readonly string[], word: 'and' | 'or'): string {
  if (conditions.length === 0) throw new RangeError('A query needs a condition.');
  return conditions.reduce((all, one) => `(${all} ${word} ${one})`);
}

/** A text value. */
export function literal(value: string): string {
  return `'${value.replaceAll(/['\\]/g, '\\$&')}'`;
}

/** What a query costs of the org's daily API credits, by its limit (Zoho's COQL overview). */
export function creditsOf(limit: number): number {
  if (limit <= 200) return 1;
  return limit <= 1_000 ? 2 : 3;
}
