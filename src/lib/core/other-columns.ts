import { hash } from 'node:crypto';
import { keyForm } from './identity.js';
import type { LedgerEntry, SentFields, Traits } from './ledger.js';

export type { Traits };

/** Nine bytes: two of a million rows share a digest about once in ten billion files. */
const DIGEST_CHARACTERS = 12;

/**
 * What tells whether two rows are one purchase although their columns differ: short digests of name and website in the form
 * of the identity key, the module in each, and the record id. Empty where a row has none. The email is no part of it.
 * Of a row, or of the values sent for one.
 */
export function traitsOf(fields: SentFields): Traits {
  const { module, recordId, name, website } = keyForm(fields);
  return {
    name: digest('name', module, name),
    website: digest('website', module, website),
    recordId: digest('record id', module, recordId),
  };
}

/** Of a value in the form of the identity key; '' where there is none. */
export function digest(kind: string, module: string | null, value: string | null): string {
  if (value === null) return '';
  return hash('sha256', JSON.stringify([kind, module, value]), 'base64url').slice(0, DIGEST_CHARACTERS);
}

/** Of a ledger entry, also when its values were removed. */
export function traitsOfEntry({ traits, sent }: Pick<LedgerEntry, 'traits' | 'sent'>): Traits {
  return traits ?? traitsOf(sent);
}

/** `--one-per`: of the rows that share it, one is sent. */
export const ONE_PER = ['website', 'name'] as const;
export type OnePer = (typeof ONE_PER)[number];

/** The keys of the index by which an entry with these traits is found: rows that fit each other share at least one. */
export function aliasesOf({ name, website, recordId }: Traits): readonly string[] {
  return [name, website, recordId].filter((alias) => alias !== '');
}

/** `name`: nothing but the name says so, and others may have that name, too. */
export type Fit = 'none' | 'name' | 'sure';

/** How many companies the entries that fit by name alone are: one name may have been paid for with several websites. */
export function companiesNamed(fitting: readonly { readonly fit: Fit; readonly traits: Traits }[]): number {
  const named = fitting.filter(({ fit }) => fit === 'name');
  return new Set(named.map(({ traits: { website, recordId } }) => `${website} ${recordId}`)).size;
}

/**
 * Whether a row was paid for by an entry with other columns: name and website agree wherever both have them, at least one
 * of the two is in both, and two record ids are equal. So a column that was left out, added or renamed since changes
 * nothing, and neither does the email. Symmetrical.
 */
export function fitOf(row: Traits, paid: Traits): Fit {
  const agree = (a: string, b: string) => a === '' || b === '' || a === b;
  const shared = (a: string, b: string) => a !== '' && a === b;
  if (!agree(row.recordId, paid.recordId)) return 'none';
  if (!agree(row.name, paid.name) || !agree(row.website, paid.website)) return 'none';
  if (shared(row.website, paid.website)) return 'sure';
  if (!shared(row.name, paid.name)) return 'none';
  return shared(row.recordId, paid.recordId) ? 'sure' : 'name';
}
