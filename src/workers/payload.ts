import * as z from 'zod';
import type { EnrichPayload } from '../lib/queues.js';

const text = z.string().optional();
const payloadV1 = z.object({
  v: z.literal(1),
  line: z.number().int().positive().optional(),
  refreshBeforeMs: z.number().optional(),
  queuedAtMs: z.number().optional(),
  module: z.string().min(1),
  recordId: text,
  name: text,
  email: text,
  website: text,
});

export type ParsedPayload =
  | { readonly ok: true; readonly value: EnrichPayload }
  | { readonly ok: false; readonly code: 'UNREADABLE_JOB'; readonly message: string };

/** The payload of a job, parsed: other producers, and newer versions of this one, may write to the queue. */
export function parsePayload(data: unknown): ParsedPayload {
  const parsed = payloadV1.safeParse(data);
  if (!parsed.success) {
    return {
      ok: false,
      code: 'UNREADABLE_JOB',
      message: 'The job has a payload this version cannot read; upgrade the workers, then retry the row.',
    };
  }
  // zod's optional keys are `undefined` or present, never `undefined` and present, after a JSON round trip.
  return { ok: true, value: parsed.data as EnrichPayload };
}
