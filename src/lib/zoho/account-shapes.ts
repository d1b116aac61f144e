import * as z from 'zod';
import { INPUT_FIELDS, type InputField } from '../core/row.js';

/** What an account says of itself. Parsers answer `undefined` for a body they cannot read, and never throw. */

/** Numbers of a feature; null where Zoho does not tell. */
export interface FeatureUse {
  readonly total: number | null;
  readonly used: number | null;
  readonly left: number | null;
}

/** A row of the module `Data_Enrichment_Stats__s`; null where Zoho does not tell. */
export interface EnrichmentStats {
  readonly feature: string | null;
  readonly dateMs: number | null;
  readonly monthlyLimit: number | null;
  readonly addOn: number | null;
  readonly used: number | null;
  readonly usedInBulk: number | null;
}

export interface OrgInfo {
  readonly name: string | null;
  /** Lower case, such as `enterprise`; the trial's during a trial. */
  readonly edition: string | null;
  readonly licenses: number | null;
}

/** How one CRM module is enriched. */
export interface EnrichmentConfig {
  readonly module: string;
  readonly active: boolean;
  /** Fields that Zia may enrich from, and the others. */
  readonly mapped: readonly InputField[];
  readonly unmapped: readonly InputField[];
}

export function parseFeature(body: unknown): FeatureUse | undefined {
  const parsed = FEATURES.safeParse(body);
  const details = parsed.success ? parsed.data.__features[0]?.details : undefined;
  if (details === undefined || details === null) return undefined;
  return {
    total: details.limits?.total ?? null,
    used: details.used_count?.total ?? null,
    left: details.available_count?.total ?? null,
  };
}

export function parseEnrichmentStats(body: unknown): readonly EnrichmentStats[] | undefined {
  const parsed = STATS.safeParse(body);
  if (!parsed.success) return undefined;
  return parsed.data.data.map((row) => ({
    feature: row.Feature_Name__s ?? null,
    dateMs: row.Usage_Date__s ? (timeOf(row.Usage_Date__s) ?? null) : null,
    monthlyLimit: row.Monthly_Limit__s,
    addOn: row.Add_On_Limit__s,
    used: row.Usage_Count__s,
    usedInBulk: row.Usage_Bulk_Count__s,
  }));
}

export function parseOrg(body: unknown): OrgInfo | undefined {
  const parsed = ORG.safeParse(body);
  const org = parsed.success ? parsed.data.org[0] : undefined;
  if (org === undefined) return undefined;
  const { paid, paid_type, trial_type, users_license_purchased } = org.license_details ?? {};
  // During a trial Zoho calls the paid edition "free".
  const edition = paid === false && trial_type ? trial_type : paid_type;
  return {
    name: org.company_name ?? null,
    edition: edition?.toLowerCase() ?? null,
    licenses: users_license_purchased ?? null,
  };
}

export function parseUserCount(body: unknown): number | undefined {
  const parsed = z.object({ count: whole }).safeParse(body);
  return parsed.success ? (parsed.data.count ?? undefined) : undefined;
}

/** Enrichment of organizations only: Zia enriches people by other means. */
export function parseEnrichmentConfigs(body: unknown): readonly EnrichmentConfig[] | undefined {
  const parsed = CONFIGS.safeParse(body);
  if (!parsed.success) return undefined;
  return parsed.data.data_enrichment
    .filter(({ type }) => type === 'organization')
    .map(({ module, status, input_data_field_mapping: mappings }) => {
      const isMapped = (field: InputField) =>
        (mappings ?? []).some(({ enrich_field, crm_field }) => {
          return crm_field !== null && crm_field !== undefined && enrich_field.name === ENRICH_FIELDS[field];
        });
      return {
        module: module.api_name,
        active: status ?? false,
        mapped: INPUT_FIELDS.filter(isMapped),
        unmapped: INPUT_FIELDS.filter((field) => !isMapped(field)),
      };
    });
}

/** Zoho's names for the fields of a submission in its configuration. */
const ENRICH_FIELDS: Readonly<Record<InputField, string>> = {
  name: 'org_name',
  email: 'email',
  website: 'org_website',
};

/** Zoho's pages show such numbers both as numbers and as strings. */
const whole = z
  .union([z.number().int().nonnegative(), z.string().regex(/^\d{1,15}$/)])
  .nullish()
  .catch(null)
  .transform((value) => (value === null || value === undefined ? null : Number(value)));

const total = z.object({ total: whole }).nullish().catch(null);

const FEATURES = z.object({
  __features: z.array(
    z.object({
      details: z.object({ limits: total, used_count: total, available_count: total }).nullish(),
    }),
  ),
});

const text = z.string().nullish().catch(null);

function timeOf(written: string): number | undefined {
  const ms = Date.parse(written);
  return Number.isNaN(ms) ? undefined : ms;
}

const STATS = z.object({
  data: z.array(
    z.object({
      Feature_Name__s: text,
      Usage_Date__s: text,
      Monthly_Limit__s: whole,
      Add_On_Limit__s: whole,
      Usage_Count__s: whole,
      Usage_Bulk_Count__s: whole,
    }),
  ),
});

const ORG = z.object({
  org: z.array(
    z.object({
      company_name: text,
      license_details: z
        .object({
          paid: z.boolean().nullish().catch(null),
          paid_type: text,
          trial_type: text,
          users_license_purchased: whole,
        })
        .nullish()
        .catch(null),
    }),
  ),
});

const CONFIGS = z.object({
  data_enrichment: z.array(
    z.object({
      type: text,
      status: z.boolean().nullish().catch(null),
      module: z.object({ api_name: z.string() }),
      input_data_field_mapping: z
        .array(z.object({ enrich_field: z.object({ name: z.string() }), crm_field: z.unknown().optional() }))
        .nullish(),
    }),
  ),
});
