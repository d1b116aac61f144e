import { withoutMarks } from './clean-field.js';

const MIN_DIGITS = 13;
const MAX_DIGITS = 19;
const RECORD_ID = new RegExp(String.raw`^\d{${MIN_DIGITS},${MAX_DIGITS}}$`);
const ZOHO_ID_PREFIX = /^zcrm_/i;
const EXPONENT_FORM = /^\d[.,]?\d*e\+?\d+$/i;

/** The digits of a record id, '' when there is none, null when it is none of Zoho's. */
export function parseRecordId(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return '';
  if (typeof value !== 'string') return null;
  const text = unquoted(withoutMarks(value));
  if (text === '') return '';
  const digits = text.replace(ZOHO_ID_PREFIX, '');
  return RECORD_ID.test(digits) ? digits : null;
}

/** A double holds 15 digits for sure: a spreadsheet writes zeros for the rest. */
const ROUNDED = /^\d{15}0{3,4}$/;

/** Whether an id looks like one that a spreadsheet rounded; a single one may be so by itself. */
export function looksRounded(recordId: string): boolean {
  return ROUNDED.test(recordId);
}

export const ROUNDED_RECORD_ID =
  'The record id ends in zeros, as do others of this file: a spreadsheet has rounded it; export it again and format the column as text.';

/** What is wrong with a value that `parseRecordId` refuses. */
export function badRecordId(value: unknown): string {
  return typeof value === 'string' && EXPONENT_FORM.test(withoutMarks(value))
    ? 'The record id was rounded by a spreadsheet (it has the form 5.7E+18): export it again and format the column as text.'
    : `The record id is not one of Zoho's: ${MIN_DIGITS} to ${MAX_DIGITS} digits, with or without zcrm_ before them.`;
}

/** Excel's ways to say that digits are text. */
function unquoted(text: string): string {
  return withoutMarks(text.replace(/^="(.*)"$/s, '$1').replace(/^'(.*?)'?$/s, '$1'));
}
