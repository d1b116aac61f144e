/** Why a row failed: a code of docs/errors.md, and a sentence for people. */
export interface RowFailure {
  readonly code: string;
  readonly message: string;
}

/** Zoho accepted the row, and its own work on it failed: no job tells of that. */
export const ENRICHMENT_FAILED: RowFailure = {
  code: 'ENRICHMENT_FAILED',
  message: 'Zoho accepted the row and then could not enrich it; it gives no reason.',
};

/** As the failed job keeps it. */
export function failureText({ code, message }: RowFailure): string {
  return `${code}: ${message}`;
}

/** Reads what `failureText` wrote; any other text is BullMQ's own and has the code `JOB_FAILED`. */
export function parseFailure(text: string): RowFailure {
  const [, code, message = ''] = /^([A-Za-z][A-Za-z0-9_]*): ([\s\S]*)$/.exec(text) ?? [];
  return code === undefined ? { code: 'JOB_FAILED', message: text } : { code, message };
}
