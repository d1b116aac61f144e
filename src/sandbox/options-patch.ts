import * as z from 'zod';
import { FAULT_KINDS, type SandboxOptions } from './options.js';

const count = z.int().nonnegative();
const share = z.number().min(0).max(1);
const milliseconds = z.number().nonnegative();

const fault = z.strictObject({
  kind: z.enum(FAULT_KINDS),
  on: z.enum(['post', 'list', 'get', 'coql', 'token']),
  share,
  times: count.optional(),
  match: z.string().optional(),
  status: z.int().min(200).max(599).optional(),
  body: z.unknown().optional(),
  delayMs: milliseconds.optional(),
});

const optionsSchema = z.strictObject({
  quota: count.nullable(),
  latencyMs: z.union([milliseconds, z.tuple([milliseconds, milliseconds])]),
  ratePerSecond: count.nullable(),
  concurrency: count.nullable(),
  credits: count.nullable(),
  completeAfterMs: milliseconds,
  notFoundShare: share,
  failedShare: share,
  tokenLifeSeconds: z.number().positive(),
  tokensPerTenMinutes: count.nullable(),
  tokenThrottled: z.boolean(),
  accountsOutage: z.boolean(),
  wrongDataCenter: z.enum(['accounts', 'api']).nullable(),
  unmapped: z.array(z.enum(['name', 'email', 'website'])),
  modules: z.array(z.string()),
  featureEnabled: z.boolean(),
  edition: z.string(),
  permission: z.boolean(),
  users: count,
  allowanceKnown: z.boolean(),
  stats: z.enum(['absent', 'one', 'several']),
  records: count,
  absentFields: z.array(z.string()),
  unfilterableFields: z.array(z.string()),
  scopes: z.array(z.string()),
  clockOffsetMs: z.number(),
  echo: z.enum(['sent', 'scheme', 'other', 'nothing']),
  listRepeats: z.boolean(),
  faults: z.array(fault),
  seed: z.int(),
} satisfies Record<keyof SandboxOptions, z.ZodType>);

export type OptionsPatch =
  | { readonly kind: 'patch'; readonly patch: Partial<SandboxOptions> }
  /** One sentence an option. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** Options that came as JSON from outside; names and values are both checked. */
export function parseOptionsPatch(given: unknown): OptionsPatch {
  const parsed = optionsSchema.partial().safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`);
    return { kind: 'refused', problems };
  }
  // JSON has no undefined: what is absent is absent, which is all that the optional types disagree on.
  return { kind: 'patch', patch: parsed.data as Partial<SandboxOptions> };
}
