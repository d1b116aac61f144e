import { createHash } from 'node:crypto';
import { domainToASCII } from 'node:url';
import type { IdentityKey } from './ids.js';
import type { Row } from './row.js';

const KEY_VERSION = 'r1';
const KEY_BYTES = 16;

/**
 * The identity key of a row, version 1: `r1` and 22 characters of base64url, the first 16 bytes of SHA-256 over the
 * normalised row. It is the job id and the ledger's key, so any change here pays for every row again: add a version
 * instead, and keep the golden vectors of this one.
 */
export function identityKey(row: Row): IdentityKey {
  const { module, recordId, name, email, website } = keyForm(row);
  // JSON of a list of fixed length: quotes and escapes keep every two different rows apart, null keeps absent fields in place.
  const text = JSON.stringify([module, recordId, name, email, website]);
  const digest = createHash('sha256').update(text).digest();
  return (KEY_VERSION + digest.toString('base64url', 0, KEY_BYTES)) as IdentityKey; // the only maker of the brand
}

/** The fields of a row as the identity key takes them; null where it has none. */
export function keyForm(row: Row): Readonly<Record<keyof Row, string | null>> {
  return {
    module: row.module,
    recordId: row.recordId ?? null,
    name: row.name === undefined ? null : keyName(row.name),
    email: row.email === undefined ? null : keyEmail(row.email),
    website: row.website === undefined ? null : keyWebsite(row.website),
  };
}

/** A name in key form: NFKC, runs of spaces as one, lower case. */
export function keyName(name: string): string {
  return name.normalize('NFKC').replace(/\s+/gu, ' ').trim().toLowerCase();
}

/** An email address in key form: lower case. */
export function keyEmail(email: string): string {
  return email.toLowerCase();
}

/**
 * A web address in key form: lower case, without scheme, leading `www.`, the scheme's default port, the host's trailing
 * dot, `#...`, an empty `?` and trailing slashes; an international host in its ASCII form.
 */
export function keyWebsite(website: string): string {
  const { scheme, host, port, rest } = partsOf(website.toLowerCase());
  const isDefaultPort = port === '' || Number(port) === DEFAULT_PORTS[scheme] || (scheme === '' && isWebPort(port));
  return asciiHost(host).replace(/^www\./, '') + (isDefaultPort ? '' : `:${Number(port)}`) + keyRest(rest);
}

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
  const [, scheme = '', host = '', port = '', rest = ''] = ADDRESS.exec(website) ?? [];
  return { scheme, host, port, rest };
}

const ADDRESS = /^(https?:\/\/)?([^/?#:]*)(?::(\d*))?(.*)$/is;
const BEYOND_ASCII = /[^\0-\x7f]/;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http://': 80, 'https://': 443 };

/** Without a scheme either port says no more than the host alone. */
function isWebPort(port: string): boolean {
  return Number(port) === 80 || Number(port) === 443;
}

function keyRest(rest: string): string {
  return rest.replace(/#.*$/s, '').replace(/\?$/, '').replace(/\/+$/, '');
}
