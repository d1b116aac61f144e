/** What the stand-in pretends to be. Every option can be changed while it runs. */
export interface SandboxOptions {
  /** Enrichments the org may schedule in all; null is no limit. */
  readonly quota: number | null;
  /** Time from a request's arrival to its answer, in milliseconds: fixed, or evenly spread over a range. */
  readonly latencyMs: number | readonly [number, number];
  /** API calls in any sliding second beyond which calls are answered 429; null is no limit. */
  readonly ratePerSecond: number | null;
  /** API calls in flight beyond which calls are answered 429; null is no limit. */
  readonly concurrency: number | null;
  /** API credits left; told in a header once set, and 0 answers 429. Null: plenty, no header. */
  readonly credits: number | null;
  /** Time an enrichment takes; it is RUNNING in the second half of it. */
  readonly completeAfterMs: number;
  /** Share of enrichments that find nothing, and that fail; decided by the values sent, the same on every run. */
  readonly notFoundShare: number;
  readonly failedShare: number;
  readonly tokenLifeSeconds: number;
  /** Access tokens a refresh token may get in 10 minutes; null is no limit. Zoho's own is 10. */
  readonly tokensPerTenMinutes: number | null;
  /** Zoho's "too many requests" on the token endpoint, whatever the count. */
  readonly tokenThrottled: boolean;
  /** The accounts server answers every call with a 503 page. */
  readonly accountsOutage: boolean;
  /** What an account of another data center meets: unknown at the accounts server, or with tokens the API refuses. */
  readonly wrongDataCenter: 'accounts' | 'api' | null;
  /** Fields without a mapping in the enrichment configuration: a submission with one is NOT_ALLOWED. */
  readonly unmapped: readonly ('name' | 'email' | 'website')[];
  readonly modules: readonly string[];
  readonly featureEnabled: boolean;
  readonly edition: string;
  readonly permission: boolean;
  /** Users of the org, for the estimate of an allowance. */
  readonly users: number;
  /** Whether `__features/data_enrichment` tells the allowance. */
  readonly allowanceKnown: boolean;
  /** What the module `Data_Enrichment_Stats__s` holds: no such module, one row of this month, or a row for each CRM module. */
  readonly stats: 'absent' | 'one' | 'several';
  /** Records in each CRM module. */
  readonly records: number;
  /** Fields that the org's records do not have, and those that a query may read but not filter by. */
  readonly absentFields: readonly string[];
  readonly unfilterableFields: readonly string[];
  readonly scopes: readonly string[];
  /** Added to the server's clock: its Date header and the times of its enrichments. */
  readonly clockOffsetMs: number;
  /** What an enrichment asked for by id shows of its submission: a website with a scheme, another name, nothing. */
  readonly echo: 'sent' | 'scheme' | 'other' | 'nothing';
  /** Every page of the list is its first, and says that more follow. */
  readonly listRepeats: boolean;
  readonly faults: readonly Fault[];
  /** Decides latencies and which calls a fault with a share hits. */
  readonly seed: number;
}

export const FAULT_KINDS = [
  /** 500 INTERNAL_SERVER_ERROR, nothing accepted. */
  'http-500',
  'http-502-html',
  'http-408',
  '429',
  /** The connection is destroyed, nothing accepted. */
  'cut-before',
  /** Accepted, then the connection is destroyed. */
  'cut-after',
  'never-answer-before',
  'never-answer-after',
  /** 200 with a body that says nothing, nothing accepted. */
  'garbage-2xx',
  /** Accepted, then 200 with a body that says nothing. */
  'accepted-garbage',
  /** Accepted, then 500. */
  'accepted-500',
  /** Answered as usual, `delayMs` (2 s) late. */
  'slow',
  /** Not answered, and accepted `delayMs` (2 s) after its arrival, as a server with a queue does. */
  'accepted-late',
  /** `status` and `body` as given, nothing accepted. */
  'status',
] as const;

export interface Fault {
  readonly kind: (typeof FAULT_KINDS)[number];
  readonly on: 'post' | 'list' | 'get' | 'coql' | 'token';
  /** Share of matching calls it hits, 0 to 1. */
  readonly share: number;
  /** Hits at most so many calls. */
  readonly times?: number;
  /** Only calls whose name field holds this text. */
  readonly match?: string;
  readonly status?: number;
  readonly body?: unknown;
  readonly delayMs?: number;
}

export const DEFAULT_OPTIONS: SandboxOptions = {
  quota: null,
  latencyMs: 0,
  ratePerSecond: null,
  concurrency: null,
  credits: null,
  completeAfterMs: 1_000,
  notFoundShare: 0.05,
  failedShare: 0.01,
  tokenLifeSeconds: 3_600,
  tokensPerTenMinutes: null,
  tokenThrottled: false,
  accountsOutage: false,
  wrongDataCenter: null,
  unmapped: [],
  modules: ['Leads', 'Contacts', 'Accounts', 'Vendors'],
  featureEnabled: true,
  edition: 'enterprise',
  permission: true,
  users: 20,
  allowanceKnown: true,
  stats: 'absent',
  records: 200,
  absentFields: [],
  unfilterableFields: [],
  scopes: [
    'ZohoCRM.settings.intelligence.ALL',
    'ZohoCRM.Zia.enrichment.READ',
    'ZohoCRM.org.READ',
    'ZohoCRM.users.READ',
    'ZohoCRM.features.READ',
    'ZohoCRM.coql.READ',
    'ZohoCRM.modules.READ',
  ],
  clockOffsetMs: 0,
  echo: 'sent',
  listRepeats: false,
  faults: [],
  seed: 1,
};
