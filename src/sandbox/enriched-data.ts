import { createHash } from 'node:crypto';
import type { SentValues } from './effects.js';

export type FinalStatus = 'COMPLETED' | 'DATA_NOT_FOUND' | 'FAILED';

/** A number in [0, 1) that depends on the values sent alone. */
function shareOf(sent: SentValues, salt: string): number {
  const text = JSON.stringify([salt, sent.name, sent.email, sent.website]);
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/** How an enrichment of these values ends. A name that holds `notfound` or `enrichfail` says so itself. */
export function finalStatusOf(
  sent: SentValues,
  shares: { readonly notFoundShare: number; readonly failedShare: number },
): FinalStatus {
  const name = sent.name?.toLowerCase() ?? '';
  if (name.includes('notfound')) return 'DATA_NOT_FOUND';
  if (name.includes('enrichfail')) return 'FAILED';
  const share = shareOf(sent, 'status');
  if (share < shares.notFoundShare) return 'DATA_NOT_FOUND';
  return share < shares.notFoundShare + shares.failedShare ? 'FAILED' : 'COMPLETED';
}

const CITIES = [
  { country: 'Germany', state: 'Bavaria', city: 'Munich', pin_code: '80331' },
  { country: 'United States', state: 'Texas', city: 'Austin', pin_code: '78701' },
  { country: 'India', state: 'Tamil Nadu', city: 'Chennai', pin_code: '600001' },
  { country: 'France', state: 'Île-de-France', city: 'Paris', pin_code: '75001' },
  { country: 'Brazil', state: 'São Paulo', city: 'São Paulo', pin_code: '01000-000' },
] as const;
const INDUSTRIES = ['Software', 'Logistics', 'Food, Beverages & Hospitality', 'Manufacturing', 'Consulting'] as const;

/** Invented data of an organization, the same for the same values sent. Some of it is what a spreadsheet would run as a formula. */
export function enrichedDataOf(sent: SentValues): Record<string, unknown> {
  const pick = <T>(items: readonly T[], salt: string): T => {
    const item = items[Math.floor(shareOf(sent, salt) * items.length)];
    if (item === undefined) throw new Error('Nothing to pick from.');
    return item;
  };
  const host = hostOf(sent);
  const place = pick(CITIES, 'city');
  const founded = 1950 + Math.floor(shareOf(sent, 'founded') * 70);
  const name = sent.name ?? host;
  return {
    id: createHash('sha256').update(host).digest('base64'),
    name: shareOf(sent, 'formula') < 0.05 ? `=${name}` : name,
    website: `https://${host}`,
    ceo: `${pick(['Ada', 'Grace', 'Linus', 'Margaret'], 'first')} ${pick(['Okafor', 'Silva', 'Novák', 'Chen'], 'last')}`,
    revenue: `$${1 + Math.floor(shareOf(sent, 'revenue') * 900)}M`,
    no_of_employees: String(5 + Math.floor(shareOf(sent, 'size') * 20_000)),
    years_in_industry: 2026 - founded,
    founding_year: String(founded),
    org_status: 'Active',
    org_type: pick(['Private', 'Public'], 'type'),
    primary_email: `info@${host}`,
    primary_contact: `+1-555-01${String(Math.floor(shareOf(sent, 'phone') * 100)).padStart(2, '0')}`,
    other_emails: [`sales@${host}`],
    address: [{ ...place, fill_address: `${place.city}, ${place.country}` }],
    head_quarters: [{ country: place.country }],
    description: [{ title: 'About', description: `${name} works in "${place.city}",\nand beyond.` }],
    industries: [{ name: pick(INDUSTRIES, 'industry'), description: null }],
    social_media: [
      { media_type: 'LINKEDIN', media_url: [`https://linkedin.example/company/${host}`] },
      { media_type: 'TWITTER', media_url: [`https://twitter.example/${host}`] },
    ],
    business_model: ['B2B'],
    logo: `data:image/png;base64,${'A'.repeat(2_000)}`,
    secondary_email: null,
  };
}

function hostOf({ website, email, name }: SentValues): string {
  const fromSite = website
    ?.replace(/^https?:\/\//i, '')
    .replace(/^www\./i, '')
    .split('/')[0];
  return (
    fromSite || email?.split('@')[1] || `${(name ?? 'unknown').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.example`
  );
}
