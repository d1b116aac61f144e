import { domainToASCII } from 'node:url';

/** A host without its trailing dot, its international letters in Punycode; as it is when Punycode cannot write it. */
export function asciiHost(host: string): string {
  const bare = host.endsWith('.') ? host.slice(0, -1) : host;
  return BEYOND_ASCII.test(bare) ? domainToASCII(bare) || bare : bare;
}

interface AddressParts {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
  /** Path, query and fragment. */
  readonly rest: string;
}

/** Takes a web address that `parseRow` accepts apart; its letters stay as they are. */
export function partsOf(website: string): AddressParts {
  const start = startOfHost(website);
  const end = endOfHost(website, start);
  let rest = end;
  if (website[end] === ':') {
    rest += 1;
    while (isDigit(website.charCodeAt(rest))) rest += 1;
  }
  return {
    scheme: website.slice(0, start),
    host: website.slice(start, end),
    port: website.slice(end + 1, rest),
    rest: website.slice(rest),
  };
}

/** The host of a web address in lower case, without `www.` and trailing dot. */
export function hostOf(website: string): string {
  const start = startOfHost(website);
  const host = website.slice(start, endOfHost(website, start)).toLowerCase();
  return host.slice(host.startsWith('www.') ? 4 : 0, host.endsWith('.') ? -1 : undefined);
}

const SCHEME = /^https?:\/\//i;
const startOfHost = (website: string) => (SCHEME.test(website) ? website.indexOf('/') + 2 : 0);
const END = /[/?#:]/;

function endOfHost(website: string, start: number): number {
  const length = website.slice(start).search(END);
  return length === -1 ? website.length : start + length;
}

const isDigit = (code: number) => code >= 48 && code <= 57;
const BEYOND_ASCII = /[^\0-\x7f]/;
