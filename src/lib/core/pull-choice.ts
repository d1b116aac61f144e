import { anyOf, literal } from './coql.js';

/** Which records to take from the CRM. */
export interface PullChoice {
  readonly module: string;
  /** Fields of which at least one is empty; none: whatever is empty. */
  readonly missing: readonly string[];
  /** A condition in COQL of the user's own; null for none. */
  readonly where: string | null;
  /** Only records that were enriched before this time; null: those neither enriched nor looked for in vain. */
  readonly enrichedBeforeMs: number | null;
  /** More columns for the file. */
  readonly fields: readonly string[];
}

/** The field with the company's name in each module that Zia enriches organizations in, and how the file calls it. */
const NAME_FIELDS: Readonly<Record<string, { readonly field: string; readonly header: string }>> = {
  Accounts: { field: 'Account_Name', header: 'Account Name' },
  Leads: { field: 'Company', header: 'Company' },
  Contacts: { field: 'Account_Name.Account_Name', header: 'Account Name' },
  Vendors: { field: 'Vendor_Name', header: 'Company Name' },
};

/** The fields by which Zia marks records; both are documented as filterable, which no org was seen to prove. */
export const ENRICH_STATUS = 'Enrich_Status__s';
export const ENRICHED_AT = 'Last_Enriched_Time__s';

/** A column of the file and the field it shows. */
export interface PullColumn {
  readonly header: string;
  readonly field: string;
  /** Left out, and told, where the module does not have it. */
  readonly optional: boolean;
}

export function nameFieldOf(module: string): { readonly field: string; readonly header: string } {
  return (
    (Object.hasOwn(NAME_FIELDS, module) ? NAME_FIELDS[module] : undefined) ?? { field: 'Name', header: 'Company Name' }
  );
}

/** The columns of the file after `Record Id`, each field once. */
export function pullColumns({ module, missing, fields }: PullChoice): readonly PullColumn[] {
  const name = nameFieldOf(module);
  const columns: PullColumn[] = [
    { ...name, optional: false },
    { header: 'Website', field: 'Website', optional: true },
    { header: 'Email', field: 'Email', optional: true },
  ];
  for (const field of [...missing, ...fields]) {
    if (field !== 'id' && !columns.some((column) => column.field === field)) {
      columns.push({ header: field, field, optional: false });
    }
  }
  return columns;
}

/** The conditions of the query. `filterable` says whether the org takes the marks of Zia as a filter, and has a website. */
export function pullConditions(
  choice: PullChoice,
  filterable: { readonly marks: boolean; readonly website: boolean },
): readonly string[] {
  const { module, missing, where } = choice;
  const name = `${nameFieldOf(module).field} is not null`;
  return [
    filterable.website ? anyOf(['Website is not null', name]) : `(${name})`,
    ...(missing.length === 0 ? [] : [bracketed(anyOf(missing.map((field) => `${field} is null`)))]),
    ...(where === null ? [] : [`(${where})`]),
    ...(filterable.marks ? markConditions(choice) : []),
  ];
}

/** Of a mark that the user's own condition names, theirs is the last word. */
function markConditions({ where, enrichedBeforeMs }: PullChoice): readonly string[] {
  if (where?.includes(ENRICH_STATUS) || where?.includes(ENRICHED_AT)) return [];
  return enrichedBeforeMs === null
    ? [`(${ENRICH_STATUS} is null or ${ENRICH_STATUS} = 'Available')`]
    : [`(${ENRICHED_AT} < ${literal(timeLiteral(enrichedBeforeMs))})`];
}

/** The mark that decides about records here, where Zoho does not take it as a filter; null when none does. */
export function markField({ where, enrichedBeforeMs }: PullChoice): string | null {
  if (where?.includes(ENRICH_STATUS) || where?.includes(ENRICHED_AT)) return null;
  return enrichedBeforeMs === null ? ENRICH_STATUS : ENRICHED_AT;
}

/** The same choice as the query's, by the value of `markField`. */
export function isChosen(mark: unknown, enrichedBeforeMs: number | null): boolean {
  if (enrichedBeforeMs === null) return mark !== 'Enriched' && mark !== 'Data not found';
  const ms = typeof mark === 'string' ? Date.parse(mark) : Number.NaN;
  return !Number.isNaN(ms) && ms < enrichedBeforeMs;
}

/** Zoho takes times without milliseconds. */
function timeLiteral(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, '+00:00');
}

function bracketed(condition: string): string {
  return condition.startsWith('(') ? condition : `(${condition})`;
}

/** A value of the CRM as a cell: empty for none, a lookup by its name, a list by its values. */
export function cellOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(cellOf).join(';');
  if (typeof value === 'object') {
    const { name, id } = value as { name?: unknown; id?: unknown }; // both optional, and made text below
    return cellOf(name ?? id ?? JSON.stringify(value));
  }
  return String(value);
}
