import { decodeHTMLStrict } from 'entities/decode';
import type { InputField } from './input-fields.js';

/**
 * Takes off what programs put around a value on its way here: format characters and outer blanks, Excel's `="..."` and
 * leading apostrophe, single quotes around the whole value, quotes escaped with a backslash, and HTML entities with
 * their semicolon, as often as they were encoded. Cleaning a clean value changes nothing.
 */
export function cleanField(field: InputField, value: string): string {
  let text = value;
  for (;;) {
    const next = cleanOnce(field, text);
    if (next === text) return text;
    text = next;
  }
}

/** A value without format characters, such as zero-width spaces and marks of direction, and without outer blanks. */
export function withoutMarks(value: string): string {
  return PLAIN_TEXT.test(value) ? value.trim() : value.replace(FORMAT_CHARACTERS, '').trim();
}

const PLAIN_TEXT = /^[ -~]*$/;
const FORMAT_CHARACTERS = /\p{Cf}/gu;
/** Dutch names such as `'t Hart` and `'s-Gravenzande` begin with an apostrophe of their own. */
const DUTCH_ARTICLE = /^'[stnk][ -]/i;

function cleanOnce(field: InputField, value: string): string {
  let text = withoutMarks(value);
  const formula = text.startsWith('=') ? /^="((?:[^"]|"")*)"$/.exec(text)?.[1] : undefined;
  if (formula !== undefined) text = formula.replaceAll('""', '"');
  if (text.startsWith("'") && !(field === 'name' && DUTCH_ARTICLE.test(text)))
    text = text.replace(/^'(.*)'$|^'/s, '$1');
  if (text.includes('\\"')) text = text.replace(/^"(.*)"$/s, '$1').replaceAll('\\"', '"');
  if (text.includes('&')) text = decoded(field, text);
  if (field === 'email') text = bareAddress(text);
  return text;
}

/** In a web address `&copy;` may be a parameter. */
function decoded(field: InputField, text: string): string {
  const query = field === 'website' ? text.indexOf('?') : -1;
  return query === -1 ? decodeHTMLStrict(text) : decodeHTMLStrict(text.slice(0, query)) + text.slice(query);
}

function bareAddress(text: string): string {
  if (!text.endsWith('.') && !/^(?:<|mailto:)/i.test(text)) return text;
  return text
    .replace(/^<([^<>]*)>$/, '$1')
    .replace(/^mailto:/i, '')
    .replace(/(?<=[\p{L}\p{N}])\.$/u, '');
}
