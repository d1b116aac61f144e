import type { EnrichedData } from './ledger.js';

/** `main` is the first address that says where it is, else the headquarters. */
type Value = (data: EnrichedData, main: Fields) => string;

/**
 * The columns of what Zoho found, in order, each a readable text: the same for every export, so that nothing that reads
 * one depends on what was found. Several values in one cell are set apart by `; `. `docs/export.md` describes them.
 */
const VALUES: Readonly<Record<`zia_${string}`, Value>> = {
  zia_name: ({ name }) => text(name),
  zia_website: ({ website }) => text(website),
  zia_industry: ({ industries }) =>
    joined(objects(industries).map(({ name, description }) => text(name) || text(description))),
  zia_description: ({ description }) =>
    joined(objects(description).map(({ title, description: body }) => text(body) || text(title))),
  zia_employees: (data) => text(data.no_of_employees),
  zia_revenue: ({ revenue }) => text(revenue),
  zia_ceo: ({ ceo }) => text(ceo),
  zia_founded: (data) => text(data.founding_year),
  zia_years_in_industry: (data) => text(data.years_in_industry),
  zia_org_type: (data) => text(data.org_type),
  zia_org_status: (data) => text(data.org_status),
  zia_business_model: (data) => list(data.business_model),
  zia_email: (data) => text(data.primary_email),
  zia_other_emails: (data) => joined([text(data.secondary_email), list(data.other_emails)]),
  zia_phone: (data) => text(data.primary_contact),
  zia_other_phones: (data) => joined([text(data.secondary_contact), list(data.other_contacts)]),
  zia_address: (_, main) => fullAddress(main),
  zia_city: (_, main) => text(main.city),
  zia_state: (_, main) => text(main.state),
  zia_postal_code: (_, main) => text(main.pin_code),
  zia_country: (_, main) => text(main.country),
  zia_headquarters: (data) => joined(objects(data.head_quarters).map(fullAddress)),
  zia_other_addresses: otherAddresses,
  zia_linkedin: (data) => socialMedia(data, 'LINKEDIN'),
  zia_twitter: (data) => socialMedia(data, 'TWITTER', 'X'),
  zia_facebook: (data) => socialMedia(data, 'FACEBOOK'),
  zia_other_social: (data) => otherSocialMedia(data),
  zia_territories: (data) => list(data.territory_list),
  zia_technologies: (data) => list(data.techno_graphic_data),
  zia_sign_in: (data) => text(data.sign_in),
  zia_sign_up: (data) => text(data.sign_up),
};

export const RESULT_COLUMNS: readonly string[] = Object.keys(VALUES);
const COLUMN_VALUES = Object.values(VALUES);
const NOTHING: readonly string[] = RESULT_COLUMNS.map(() => '');

/** One cell a column; all empty without data. Whatever has another shape than Zoho documents is left empty. */
export function resultCells(data: EnrichedData | undefined): readonly string[] {
  if (data === undefined) return NOTHING;
  const main = mainPlace(data);
  return COLUMN_VALUES.map((value) => value(data, main));
}

/** Which of these cells have a value, a bit each in the order of `RESULT_COLUMNS`, of which there may be 52. */
export function filledCells(cells: readonly string[]): number {
  return cells.reduce((mask, cell, bit) => (cell === '' ? mask : mask + 2 ** bit), 0);
}

/** The same of what Zoho found. */
export function filledColumns(data: EnrichedData): number {
  return filledCells(resultCells(data));
}

type Fields = Readonly<Record<string, unknown>>;

function mainPlace({ address, head_quarters }: EnrichedData): Fields {
  return [...objects(address), ...objects(head_quarters)].find((place) => fullAddress(place) !== '') ?? {};
}

function otherAddresses({ address }: EnrichedData, main: Fields): string {
  return joined(
    objects(address)
      .filter((place) => place !== main)
      .map(fullAddress),
  );
}

function fullAddress({ fill_address, city, state, pin_code, country }: Fields): string {
  return text(fill_address) || [city, state, pin_code, country].map(text).filter(Boolean).join(', ');
}

const OWN_COLUMN = ['LINKEDIN', 'TWITTER', 'X', 'FACEBOOK'];

function socialMedia({ social_media }: EnrichedData, ...types: readonly string[]): string {
  return joined(
    objects(social_media)
      .filter(({ media_type }) => types.includes(text(media_type).toUpperCase()))
      .map(({ media_url }) => list(media_url)),
  );
}

function otherSocialMedia({ social_media }: EnrichedData): string {
  return joined(
    objects(social_media)
      .filter(({ media_type }) => !OWN_COLUMN.includes(text(media_type).toUpperCase()))
      .map(({ media_type, media_url }) => `${text(media_type)} ${list(media_url)}`.trim()),
  );
}

function text(value: unknown): string {
  if (typeof value === 'string') return value.trim();
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** Zoho types some fields as one text where its samples have a list. */
function list(value: unknown): string {
  return Array.isArray(value) ? joined(value.map(text)) : text(value);
}

function objects(value: unknown): readonly Fields[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.filter((item): item is Fields => typeof item === 'object' && item !== null);
}

function joined(texts: readonly string[]): string {
  return [...new Set(texts.filter(Boolean))].join('; ');
}
