import { bareError, EMPTY, ok, type SandboxAnswer, SCOPE_MISMATCH } from './answers.js';
import { type Condition, CoqlError, type CoqlQuery, type Literal, parseCoql } from './coql.js';
import type { EnrichmentBook } from './enrichments.js';
import type { SandboxOptions } from './options.js';

/** A record of the stand-in's CRM, by API names; null is empty. */
export type CrmRecord = Readonly<Record<string, string | number | null>>;

/** The CRM's records: a number of invented ones in each module, and what Zia wrote to them. */
export interface RecordBook {
  /** A COQL query, from the body of its call. */
  query(body: string, options: SandboxOptions): SandboxAnswer;
}

interface Field {
  readonly type: 'id' | 'text' | 'number' | 'datetime' | 'picklist' | 'textarea';
}

const COMMON: Readonly<Record<string, Field>> = {
  id: { type: 'id' },
  Website: { type: 'text' },
  Phone: { type: 'text' },
  Industry: { type: 'picklist' },
  Annual_Revenue: { type: 'number' },
  Description: { type: 'textarea' },
  Created_Time: { type: 'datetime' },
  Enrich_Status__s: { type: 'picklist' },
  Last_Enriched_Time__s: { type: 'datetime' },
};

const MODULES: Readonly<
  Record<string, { readonly nameField: string; readonly fields: Readonly<Record<string, Field>> }>
> = {
  Accounts: {
    nameField: 'Account_Name',
    fields: { ...COMMON, Account_Name: { type: 'text' }, Employees: { type: 'number' } },
  },
  Leads: {
    nameField: 'Company',
    fields: { ...COMMON, Company: { type: 'text' }, Email: { type: 'text' }, No_of_Employees: { type: 'number' } },
  },
};

const FIRST_ID = 5_725_767_000_000_410_069n;
const CREATED_MS = Date.UTC(2025, 0, 6);

export function createRecordBook(book: EnrichmentBook): RecordBook {
  let made: { readonly module: string; readonly records: readonly CrmRecord[] } = { module: '', records: [] };

  return {
    query: (body, options) => {
      const text = selectQueryOf(body);
      if (text === undefined) {
        return bareError(400, 'MANDATORY_NOT_FOUND', { api_name: 'select_query' }, 'required field not found');
      }
      try {
        return answerTo(parseCoql(text), options);
      } catch (error) {
        if (!(error instanceof CoqlError)) throw error;
        return bareError(400, error.code, error.details, 'error occurred in parsing the given query');
      }
    },
  };

  function answerTo(query: CoqlQuery, options: SandboxOptions): SandboxAnswer {
    const module = Object.hasOwn(MODULES, query.module) ? MODULES[query.module] : undefined;
    if (module === undefined) {
      return bareError(400, 'INVALID_MODULE', { module: query.module }, 'the module name given seems to be invalid');
    }
    if (!mayRead(query.module, options)) return SCOPE_MISMATCH;
    checkFields(query, module.fields, options);
    const found = recordsOf(query.module, options).filter((record) => holds(query.where, record, module.fields));
    if (query.columns === 'count') {
      return ok({ data: [{ 'COUNT(id)': found.length }], info: { count: 1, more_records: false } });
    }
    const page = ordered(found, query, module.fields).slice(query.offset, query.offset + query.limit);
    if (page.length === 0) return EMPTY;
    const columns = query.columns;
    const data = page.map((record) =>
      Object.fromEntries([...columns, 'id'].map((column) => [column, record[column] ?? null])),
    );
    const info = { count: page.length, more_records: found.length > query.offset + page.length };
    return ok({ data, info });
  }

  function recordsOf(module: string, options: SandboxOptions): readonly CrmRecord[] {
    const wanted = options.records;
    if (made.module !== module || made.records.length !== wanted) {
      made = { module, records: Array.from({ length: wanted }, (_, index) => inventedRecord(module, index)) };
    }
    return made.records.map((record) => writtenByZia(record, module, options));
  }

  /** Zia fills what is empty, and marks the record; whether the real one overwrites is not documented. */
  function writtenByZia(record: CrmRecord, module: string, options: SandboxOptions): CrmRecord {
    const finished = book.finishedFor(module, String(record.id), options);
    if (finished === undefined) return record;
    const { data, atMs } = finished;
    const mark = { Last_Enriched_Time__s: isoTime(atMs) };
    if (data === null) return { ...record, ...mark, Enrich_Status__s: 'Data not found' };
    const [industry] = data.industries as readonly { readonly name: string }[]; // as `enrichedDataOf` makes it
    const found: CrmRecord = {
      Website: String(data.website),
      Phone: String(data.primary_contact),
      Industry: industry?.name ?? null,
    };
    const filled = Object.entries(found).filter(([field]) => (record[field] ?? null) === null);
    return { ...record, ...Object.fromEntries(filled), ...mark, Enrich_Status__s: 'Enriched' };
  }
}

/** Invented, the same for the same place: names with quotes, commas, line breaks and leading signs among them. */
function inventedRecord(module: string, index: number): CrmRecord {
  const odd = ['', ' "and" Sons, Ltd', '\nHolding', '', ' = Co'][index % 10] ?? '';
  const name = `${index % 10 === 6 ? '=' : ''}Harbour ${index} Trading${odd}`;
  const wasEnriched = index % 9 === 4;
  const wasNotFound = index % 11 === 5;
  return {
    id: String(FIRST_ID + BigInt(index) * 17n),
    [MODULES[module]?.nameField ?? 'Name']: name,
    Website: index % 4 === 3 ? null : `www.harbour-${index}.example`,
    ...(module === 'Leads' ? { Email: index % 3 === 1 ? null : `office@harbour-${index}.example` } : {}),
    Phone: index % 5 === 0 ? null : `+1-555-${String(1_000 + (index % 9_000))}`,
    Industry: index % 3 === 0 && !wasEnriched ? null : 'Logistics',
    Annual_Revenue: index % 2 === 0 ? index * 1_000 : null,
    Description: null,
    Created_Time: isoTime(CREATED_MS + index * 60_000),
    Enrich_Status__s: wasEnriched ? 'Enriched' : wasNotFound ? 'Data not found' : index % 7 === 0 ? 'Available' : null,
    Last_Enriched_Time__s: wasEnriched || wasNotFound ? isoTime(CREATED_MS + (index % 300) * 86_400_000) : null,
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, '+00:00');
}

function selectQueryOf(body: string): string | undefined {
  try {
    const { select_query: text } = JSON.parse(body) as { select_query?: unknown }; // whatever it is, it is checked next
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}

function mayRead(module: string, { scopes }: SandboxOptions): boolean {
  const name = module.toLowerCase();
  const wanted = ['READ', 'ALL'].flatMap((kind) => [`ZohoCRM.modules.${kind}`, `ZohoCRM.modules.${name}.${kind}`]);
  return scopes.some((scope) => wanted.includes(scope));
}

function checkFields(query: CoqlQuery, fields: Readonly<Record<string, Field>>, options: SandboxOptions): void {
  const isKnown = (name: string) => Object.hasOwn(fields, name) && !options.absentFields.includes(name);
  const refuse = (column_name: string, reason: string) => new CoqlError('INVALID_QUERY', { column_name, reason });
  for (const name of query.columns === 'count' ? [] : query.columns) {
    if (!isKnown(name)) throw refuse(name, 'column given seems to be invalid');
  }
  for (const name of fieldsIn(query.where)) {
    if (!isKnown(name)) throw refuse(name, 'column given seems to be invalid');
    if (fields[name]?.type === 'textarea' || options.unfilterableFields.includes(name)) {
      throw refuse(name, 'the field is not supported in criteria');
    }
  }
}

function fieldsIn(condition: Condition): readonly string[] {
  return condition.kind === 'joined' ? [...fieldsIn(condition.left), ...fieldsIn(condition.right)] : [condition.field];
}

function holds(condition: Condition, record: CrmRecord, fields: Readonly<Record<string, Field>>): boolean {
  switch (condition.kind) {
    case 'joined': {
      const left = holds(condition.left, record, fields);
      if (left === (condition.by === 'or')) return left;
      return holds(condition.right, record, fields);
    }
    case 'null':
      return ((record[condition.field] ?? null) === null) !== condition.negated;
    default:
      return meets(condition, record[condition.field] ?? null, fields[condition.field]?.type ?? 'text');
  }
}

type Criterion = Exclude<Condition, { kind: 'joined' | 'null' }>;

/** Nothing is equal to, less than or like an empty field. */
function meets(criterion: Criterion, value: string | number | null, type: Field['type']): boolean {
  if (value === null) return false;
  const order = (literal: Literal) => compare(value, literal, type);
  switch (criterion.kind) {
    case 'compare':
      return PASSES[criterion.operator](order(criterion.value));
    case 'in':
      return criterion.values.some((one) => order(one) === 0) !== criterion.negated;
    case 'between':
      return order(criterion.from) >= 0 && order(criterion.to) <= 0;
    case 'like':
      return like(String(value), criterion.pattern) !== criterion.negated;
  }
}

const PASSES = {
  '=': (order: number) => order === 0,
  '!=': (order: number) => order !== 0,
  '<': (order: number) => order < 0,
  '<=': (order: number) => order <= 0,
  '>': (order: number) => order > 0,
  '>=': (order: number) => order >= 0,
} as const;

function compare(value: string | number, literal: Literal, type: Field['type']): number {
  switch (type) {
    case 'id': {
      const [one, other] = [BigInt(value), /^\d+$/.test(String(literal)) ? BigInt(String(literal)) : -1n];
      return one < other ? -1 : one > other ? 1 : 0;
    }
    case 'number':
      return Number(value) - Number(literal);
    case 'datetime':
      return Date.parse(String(value)) - Date.parse(String(literal));
    default:
      return String(value).toLowerCase().localeCompare(String(literal).toLowerCase());
  }
}

/** `%` at the start, at the end, or at both. */
function like(value: string, pattern: string): boolean {
  const text = value.toLowerCase();
  const wanted = pattern.replaceAll('%', '').toLowerCase();
  if (pattern.startsWith('%')) return pattern.endsWith('%') ? text.includes(wanted) : text.endsWith(wanted);
  return pattern.endsWith('%') ? text.startsWith(wanted) : text === wanted;
}

function ordered(
  records: readonly CrmRecord[],
  { orderBy }: CoqlQuery,
  fields: Readonly<Record<string, Field>>,
): readonly CrmRecord[] {
  const [first] = orderBy;
  // They are made in the order of their ids.
  if (first === undefined || (first.field === 'id' && !first.descending)) return records;
  return records.toSorted((one, other) => {
    for (const { field, descending } of orderBy) {
      const order = compare(one[field] ?? '', other[field] ?? '', fields[field]?.type ?? 'text');
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
}
