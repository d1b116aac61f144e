import { keyName, keyWebsite } from './key-form.js';

/**
 * Whether a text is this value: the same in the form of the identity key, as a name, an address or a website. An email
 * address also counts where it stands in a longer text. Pure.
 */
export function valueMatcher(value: string): (text: string) => boolean {
  const name = keyName(value);
  const website = keyWebsite(name);
  const inText = name.includes('@') ? new RegExp(`(?<![\\w.+-])${escaped(name)}(?![\\w-]|\\.\\w)`, 'u') : null;
  return (text) => {
    const other = keyName(text);
    return other === name || (website !== '' && keyWebsite(other) === website) || inText?.test(other) === true;
  };
}

/** Whether a value, or any value inside it, is a text that matches. */
export function hasText(value: unknown, matches: (text: string) => boolean): boolean {
  if (typeof value === 'string') return matches(value);
  if (typeof value === 'number') return matches(String(value));
  return typeof value === 'object' && value !== null && Object.values(value).some((inner) => hasText(inner, matches));
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
