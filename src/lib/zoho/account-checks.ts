import { assertNever } from '../core/assert-never.js';
import type { Check } from '../core/check.js';
import { INPUT_FIELDS } from '../core/row.js';
import type { AccountReads } from './account-reads.js';
import type { EnrichmentConfig } from './account-shapes.js';
import { ALLOWANCE_SOURCES, type Allowance, readAllowance } from './allowance.js';
import type { NoCall, PacedRead } from './paced-calls.js';

export interface AccountCheckOptions {
  readonly reads: AccountReads;
  /** The module that rows would be submitted for. */
  readonly module: string;
  /** For people: which servers are asked, such as `us (https://accounts.zoho.com)`. */
  readonly servers: string;
  /** False where Zoho's documents do not list the data center for this feature. */
  readonly isListed: boolean;
  /** Rows the ledger knows as submitted, for an estimate of the allowance. */
  readonly submitted: number;
  /** So many enrichments are to be kept back; 0 is none. */
  readonly keep: number;
}

type Findings = Awaited<ReturnType<typeof ask>>;

/** Everything a worker needs of the account, in the order in which one would mend it. A dozen calls, none submits anything. */
export async function checkAccount(options: AccountCheckOptions): Promise<readonly Check[]> {
  const first = await options.reads.enrichments();
  const access = accessChecks(first, options);
  if (first.kind === 'no-token' || first.kind === 'unavailable') return access;
  const found = await ask(first, options);
  return [
    ...access,
    ...scopeChecks(found),
    submissionCheck(found),
    ...mappingChecks(found, options.module),
    allowanceCheck(found),
    ...reserveChecks(found, options.keep),
    clockCheck(found),
  ];
}

async function ask(enrichments: PacedRead<unknown>, { reads, module, submitted }: AccountCheckOptions) {
  return {
    enrichments,
    askedAtMs: Date.now(),
    submission: await reads.emptySubmission(module),
    configs: await reads.configs(),
    feature: await reads.feature('data_enrichment'),
    org: await reads.org(),
    users: await reads.users(),
    records: await reads.records(module),
    allowance: await readAllowance(reads, submitted),
  };
}

/** Refusals of the accounts server that also mean: this account lives in another data center. */
const UNKNOWN_CLIENT = new Set(['invalid_client', 'invalid_code']);

function accessChecks(first: PacedRead<unknown>, { servers, isListed }: AccountCheckOptions): readonly Check[] {
  switch (first.kind) {
    case 'no-token':
      return noToken(first, servers);
    case 'unavailable':
      return [{ name: 'token', status: 'failed', message: unavailable(first.code) }];
    case 'forbidden':
    case 'read':
      return [
        { name: 'token', status: 'ok', message: 'The accounts server grants access tokens, and the API takes them.' },
        isListed
          ? { name: 'data center', status: 'ok', message: servers }
          : {
              name: 'data center',
              status: 'warning',
              message: `${servers}: Zoho's documents do not list this data center for organization enrichment; it may not exist there.`,
            },
      ];
    default:
      return assertNever(first);
  }
}

function noToken({ why, code, message }: Extract<NoCall, { kind: 'no-token' }>, servers: string): readonly Check[] {
  if (why === 'fresh-token') {
    return [
      {
        name: 'token',
        status: 'failed',
        message: `The API refuses the tokens that the accounts server grants (${code}).`,
      },
      {
        name: 'data center',
        status: 'failed',
        message: `${servers}: the tokens of this accounts server are not those of the API; set ZOHO_DC to the account's data center, and remove ZOHO_API_DOMAIN or correct it.`,
      },
    ];
  }
  const token: Check = { name: 'token', status: 'failed', message: message.replace(/, then resume\.$/, '.') };
  if (!UNKNOWN_CLIENT.has(code)) return [token];
  const where = 'is this the data center of the account? Every other one refuses it just so (ZOHO_DC)';
  return [
    token,
    { name: 'data center', status: code === 'invalid_client' ? 'failed' : 'warning', message: `${servers}: ${where}.` },
  ];
}

function unavailable(code: string): string {
  if (code === 'TOKEN_THROTTLED' || code === 'OAUTH_THROTTLED') {
    return 'Zoho grants no token now because too many were asked for; wait ten minutes without asking.';
  }
  if (code === 'NO_PLACE_IN_FLIGHT')
    return 'The fleet holds all calls back just now; see `npm run status` and try again.';
  return `Zoho gives no answer that can be used (${code}); check the network, a proxy, and Zoho's status page.`;
}

interface ScopeInfo {
  readonly name: string;
  readonly read: (found: Findings) => PacedRead<unknown>;
  /** What goes missing without it; null when nothing can be submitted. */
  readonly without: string | null;
}

const SCOPES: readonly ScopeInfo[] = [
  { name: 'ZohoCRM.settings.intelligence.CREATE', read: submissionScope, without: null },
  {
    name: 'ZohoCRM.settings.intelligence.READ',
    read: ({ enrichments }) => enrichments,
    without: 'uncertain rows will be held for a person, and results are not collected',
  },
  {
    name: 'ZohoCRM.Zia.enrichment.READ',
    read: ({ configs }) => configs,
    without: 'the field mapping cannot be checked',
  },
  { name: 'ZohoCRM.features.READ', read: ({ feature }) => feature, without: 'the allowance can only be estimated' },
  { name: 'ZohoCRM.org.READ', read: ({ org }) => org, without: 'the allowance cannot be estimated' },
  { name: 'ZohoCRM.users.READ', read: ({ users }) => users, without: 'an estimate of the allowance is coarser' },
  {
    name: 'ZohoCRM.coql.READ with ZohoCRM.modules.READ',
    read: ({ records }) => records,
    without: '`pull` and `verify` do not work; everything else does',
  },
];

const MISSING = 'OAUTH_SCOPE_MISMATCH';

/** The verdict on a submission, in the form of a read. */
function submissionScope({ submission }: Findings): PacedRead<unknown> {
  if (submission.kind !== 'read') return submission;
  const { value } = submission;
  if (value.kind === 'stop') return value.code === MISSING ? { kind: 'forbidden', code: value.code } : submission;
  const isAnswer = value.kind === 'row' || value.kind === 'scheduled' || value.kind === 'unknown';
  return isAnswer ? submission : { kind: 'unavailable', code: value.code };
}

function scopeChecks(found: Findings): readonly Check[] {
  return SCOPES.map(({ name: scope, read, without }): Check => {
    const name = `scope ${scope}`;
    const answer = read(found);
    if (answer.kind === 'forbidden' && answer.code === MISSING) {
      return without === null
        ? {
            name,
            status: 'failed',
            message: 'Missing: nothing can be submitted; make a token with it (npm run login).',
          }
        : { name, status: 'warning', message: `Missing: ${without}; make a token with it (npm run login).` };
    }
    // Any other refusal comes after the scope was looked at.
    if (answer.kind === 'read' || answer.kind === 'forbidden') return { name, status: 'ok', message: 'Granted.' };
    return { name, status: 'not-checked', message: `No usable answer (${answer.code}).` };
  });
}

/** Feature, permission and module, by what Zoho says to a submission it must refuse. */
function submissionCheck({ submission, enrichments, configs, feature }: Findings): Check {
  const name = 'feature and module';
  const off = [enrichments, configs, feature].find(
    (answer) => answer.kind === 'forbidden' && answer.code.startsWith('FEATURE_'),
  );
  if (submission.kind === 'read' && submission.value.kind === 'stop' && submission.value.code !== MISSING) {
    const { code, message } = submission.value;
    // The quota has a line of its own.
    if (code === 'LIMIT_EXCEEDED') return { name, status: 'ok', message: 'Data enrichment is on.' };
    return { name, status: 'failed', message: `${message.replace(/, then resume\.$/, '.')} (${code})` };
  }
  if (off !== undefined && off.kind === 'forbidden') {
    return {
      name,
      status: 'failed',
      message: `Data enrichment is off in this org; switch it on in Setup, Zia. (${off.code})`,
    };
  }
  if (submission.kind !== 'read')
    return { name, status: 'not-checked', message: `No usable answer (${submission.code}).` };
  switch (submission.value.kind) {
    case 'row':
      return { name, status: 'ok', message: 'Data enrichment is on, and Zoho takes submissions for this module.' };
    case 'scheduled':
      return {
        name,
        status: 'warning',
        message: 'Zoho took a submission without any value; it may count as an enrichment.',
      };
    default:
      return { name, status: 'not-checked', message: `No usable answer (${submission.value.code}).` };
  }
}

function mappingChecks({ configs }: Findings, module: string): readonly Check[] {
  if (configs.kind !== 'read') {
    return [{ name: 'mapping', status: 'not-checked', message: `The configuration cannot be read (${configs.code}).` }];
  }
  const config = configs.value.find((one) => one.module === module && one.active);
  if (config === undefined) {
    const message = `No active data enrichment configuration for ${module}; make one in Setup, Zia, or set ZIA_MODULE.`;
    return [{ name: 'mapping', status: 'warning', message }];
  }
  return INPUT_FIELDS.map((field) => mappingCheck(field, config));
}

function mappingCheck(field: EnrichmentConfig['mapped'][number], { module, mapped }: EnrichmentConfig): Check {
  const name = `mapping of ${field}`;
  return mapped.includes(field)
    ? { name, status: 'ok', message: `Mapped for ${module}.` }
    : {
        name,
        status: 'warning',
        message: `The ${field} is not mapped for ${module}: a row that has one stops the fleet; map it in Setup, Zia, or enqueue with --map ${field}=`,
      };
}

function allowanceCheck({ allowance, submission, feature }: Findings): Check {
  const name = 'allowance';
  const isSpent =
    submission.kind === 'read' && submission.value.kind === 'stop' && submission.value.code === 'LIMIT_EXCEEDED';
  if (isSpent || (allowance !== null && allowance.left === 0)) {
    const numbers = allowance === null ? '' : ` (${allowance.used} of ${allowance.total})`;
    const message = `Used up${numbers}: nothing will be accepted until Zoho grants more (LIMIT_EXCEEDED).`;
    return { name, status: allowance?.source === 'estimate' && !isSpent ? 'warning' : 'failed', message };
  }
  if (allowance !== null) return { name, status: 'ok', message: told(allowance) };
  const isMissing = feature.kind === 'forbidden' && feature.code === MISSING;
  return isMissing
    ? { name, status: 'not-checked', message: 'Not known: the scope ZohoCRM.features.READ is missing.' }
    : {
        name,
        status: 'warning',
        message: 'Not known: Zoho does not tell, and the edition is none whose allowance is published.',
      };
}

/** Only Zoho's own numbers will do: by an estimate too much might be sent. */
function reserveChecks({ allowance, feature }: Findings, keep: number): readonly Check[] {
  if (keep === 0) return [];
  const name = 'reserve';
  if (allowance === null || allowance.source === 'estimate') {
    const why = feature.kind === 'forbidden' ? `${feature.code} for its feature data_enrichment` : 'it does not tell';
    const message = `ZIA_KEEP_ALLOWANCE=${keep} cannot be kept, because Zoho's own numbers cannot be read (${why}): workers send nothing (RESERVE_UNKNOWN). Give the token the scopes ZohoCRM.features.READ and ZohoCRM.modules.READ (npm run login), or remove the setting.`;
    return [{ name, status: 'failed', message }];
  }
  const free = allowance.left - keep;
  return free > 0
    ? [{ name, status: 'ok', message: `${keep} enrichments are kept back; ${free} may be used.` }]
    : [
        {
          name,
          status: 'warning',
          message: `${keep} enrichments are kept back and ${allowance.left} are left: workers would stop (RESERVE_REACHED).`,
        },
      ];
}

function told({ left, total, source }: Allowance): string {
  return `${left} of ${total} enrichments left${source === 'zoho' ? '' : `, ${ALLOWANCE_SOURCES[source]}`}.`;
}

const MAX_CLOCK_DIFFERENCE_MS = 30_000;

function clockCheck({ enrichments, askedAtMs }: Findings): Check {
  const name = 'clock';
  const zohoNowMs = enrichments.kind === 'read' ? enrichments.zohoNowMs : null;
  if (zohoNowMs === null) return { name, status: 'not-checked', message: 'Zoho did not tell the time.' };
  const seconds = Math.round((zohoNowMs - askedAtMs) / 1_000);
  if (Math.abs(zohoNowMs - askedAtMs) <= MAX_CLOCK_DIFFERENCE_MS) {
    return { name, status: 'ok', message: `Zoho's clock and this machine's differ by ${Math.abs(seconds)} s.` };
  }
  const message = `This machine's clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'behind' : 'ahead of'} Zoho's; set it by a time server (NTP).`;
  return { name, status: 'warning', message };
}
