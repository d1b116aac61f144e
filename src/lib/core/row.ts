/** The three fields Zia can enrich from, in the order Zoho documents them. */
export const INPUT_FIELDS = ['name', 'email', 'website'] as const;
export type InputField = (typeof INPUT_FIELDS)[number];

/** A validated row: what is sent to Zoho. At least one input field is present; absent fields were unusable or empty. */
export interface Row {
  readonly module: string;
  readonly recordId?: string;
  readonly name?: string;
  readonly email?: string;
  readonly website?: string;
}

/** What a record holds in the mapped columns, as found: untrimmed, unvalidated, possibly empty. */
export interface Candidate {
  readonly module: string;
  readonly recordId?: string;
  readonly name?: string;
  readonly email?: string;
  readonly website?: string;
}

export type FieldProblem = 'TOO_SHORT' | 'TOO_LONG' | 'NOT_ENGLISH' | 'CONTROL_CHARACTER' | 'MALFORMED';

/** A field that was present but could not be used; the row went on without it. */
export interface FieldNote {
  readonly field: InputField;
  readonly problem: FieldProblem;
}

export type RejectCode = 'NO_USABLE_FIELD' | 'BAD_RECORD_ID' | 'UNREADABLE';

export type ParsedRow =
  | { readonly ok: true; readonly row: Row; readonly notes: readonly FieldNote[] }
  | { readonly ok: false; readonly code: RejectCode; readonly reason: string };
