import {
  bareError,
  EMPTY,
  FEATURE_NOT_ENABLED,
  NO_CONFIGURATION_PERMISSION,
  ok,
  type SandboxAnswer,
} from './answers.js';
import type { SandboxOptions } from './options.js';

/** What the org tells of itself: configuration, features, edition, users. Undefined for a path it does not know. */
export function answerOrg(path: string, url: URL, used: number, options: SandboxOptions): SandboxAnswer | undefined {
  switch (path) {
    case 'settings/zia/data_enrichment':
      return configuration(options);
    case '__features/data_enrichment':
      return dataEnrichment(used, options);
    case '__features/user_licenses':
      return feature('user_licenses', 'User Licenses', options.users, Math.max(1, options.users - 2));
    case STATS_MODULE:
      return stats(used, options);
    case 'org':
      return organization(options);
    case 'users/actions/count':
      return url.searchParams.get('type') === null ? ok({ count: options.users + 3 }) : ok({ count: options.users });
    default:
      return undefined;
  }
}

/** Zoho's own module of monthly figures; its fields are known from an SDK, an answer was never seen. */
const STATS_MODULE = 'Data_Enrichment_Stats__s';

const PATHS = [
  STATS_MODULE,
  'settings/zia/data_enrichment',
  '__features/data_enrichment',
  '__features/user_licenses',
  'org',
  'users/actions/count',
];

export function isOrgPath(path: string): boolean {
  return PATHS.includes(path);
}

/** The scope a path needs, by the family names of Zoho's documentation. */
export function scopeOf(path: string): readonly string[] {
  if (path === 'settings/zia/data_enrichment') return ['ZohoCRM.Zia.enrichment.READ', 'ZohoCRM.Zia.enrichment.ALL'];
  if (path.startsWith('__features')) return ['ZohoCRM.features.READ', 'ZohoCRM.features.ALL'];
  if (path === STATS_MODULE) return ['ZohoCRM.modules.READ', 'ZohoCRM.modules.ALL'];
  if (path === 'org') return ['ZohoCRM.org.READ', 'ZohoCRM.org.ALL'];
  return ['ZohoCRM.users.READ', 'ZohoCRM.users.ALL'];
}

const ENRICH_FIELDS = [
  {
    enrich: 'org_name',
    label: 'Organization Name',
    field: 'name',
    crm: { id: '554023000000002383', api_name: 'Account_Name', name: 'Account Name' },
  },
  {
    enrich: 'email',
    label: 'Email',
    field: 'email',
    crm: { id: '554023000000002391', api_name: 'Email', name: 'Email' },
  },
  {
    enrich: 'org_website',
    label: 'Website',
    field: 'website',
    crm: { id: '554023000000002389', api_name: 'Website', name: 'Website' },
  },
] as const;

function configuration({ featureEnabled, permission, modules, unmapped }: SandboxOptions): SandboxAnswer {
  if (!featureEnabled) return FEATURE_NOT_ENABLED;
  if (!permission) return NO_CONFIGURATION_PERMISSION;
  if (modules.length === 0) return EMPTY;
  const mapping = ENRICH_FIELDS.map(({ enrich, label, field, crm }) => ({
    enrich_field: { name: enrich, display_label: label },
    crm_field: unmapped.includes(field) ? null : crm,
  }));
  const data_enrichment = modules.map((module, index) => ({
    id: `55402300000065000${index}`,
    type: 'organization',
    status: true,
    module: { id: `55402300000000217${index}`, api_name: module },
    input_data_field_mapping: mapping,
    created_time: '2026-01-05T10:00:00Z',
    modified_time: '2026-01-05T10:00:00Z',
  }));
  return ok({ data_enrichment });
}

function dataEnrichment(used: number, { featureEnabled, allowanceKnown, quota }: SandboxOptions): SandboxAnswer {
  if (!featureEnabled) return FEATURE_NOT_ENABLED;
  if (!allowanceKnown) return ok({ __features: [{ api_name: 'data_enrichment', details: null }] });
  return quota === null
    ? feature('data_enrichment', 'Data Enrichment', 50_000, Math.min(50_000, used))
    : feature('data_enrichment', 'Data Enrichment', quota, Math.min(quota, used));
}

function stats(used: number, { stats: held, quota }: SandboxOptions): SandboxAnswer {
  if (held === 'absent') {
    return bareError(400, 'INVALID_MODULE', { resource_path_index: 0 }, 'the module name given seems to be invalid');
  }
  const month = new Date().toISOString().slice(0, 7);
  const row = (module: string, index: number) => ({
    id: `55402300000070000${index}`,
    Feature_Name__s: 'data_enrichment',
    Module__s: { api_name: module, id: `55402300000000217${index}` },
    Monthly_Limit__s: Math.max(0, (quota ?? 50_000) - 100),
    Add_On_Limit__s: Math.min(100, quota ?? 50_000),
    Usage_Count__s: index === 0 ? used : 0,
    Usage_Bulk_Count__s: 0,
    Usage_Date__s: `${month}-01T00:00:00+00:00`,
  });
  const lastMonth = { ...row('Accounts', 9), Usage_Count__s: 7, Usage_Date__s: '2025-01-01T00:00:00+00:00' };
  const rows = (held === 'one' ? ['Accounts'] : ['Accounts', 'Leads']).map(row);
  return ok({
    data: [...rows, lastMonth],
    info: { per_page: 200, count: rows.length + 1, page: 1, more_records: false },
  });
}

function feature(api_name: string, feature_label: string, total: number, used: number): SandboxAnswer {
  const details = {
    limits: { total, edition_limit: total },
    used_count: { total: used },
    available_count: { total: total - used },
  };
  const one = { api_name, feature_label, parent_feature: null, module_supported: false, components: [], details };
  return ok({ __features: [one], info: { page: 1, per_page: 200, count: 1, more_records: false } });
}

function organization({ edition, users, permission }: SandboxOptions): SandboxAnswer {
  if (!permission) return bareError(403, 'NO_PERMISSION', {}, 'permission denied');
  const license_details = {
    paid: true,
    paid_type: edition,
    paid_expiry: '2027-12-31T00:00:00Z',
    trial_type: null,
    trial_expiry: null,
    trial_action: null,
    users_license_purchased: users,
    portal_users_license_purchased: 0,
  };
  return ok({
    org: [
      { id: '554023000000000001', company_name: 'Sandbox Inc', type: 'production', time_zone: 'UTC', license_details },
    ],
  });
}
