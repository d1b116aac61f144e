import { asciiHost, partsOf } from './web-address.js';

/** A name in key form: NFKC, runs of spaces as one, lower case. */
export function keyName(name: string): string {
  if (IN_FORM.test(name)) return name.toLowerCase();
  return name.normalize('NFKC').replace(/\s+/gu, ' ').trim().toLowerCase();
}

/** ASCII with single spaces, as nearly every name is. */
const IN_FORM = /^[!-~]+(?: [!-~]+)*$/;

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

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http://': 80, 'https://': 443 };

/** Without a scheme either port says no more than the host alone. */
function isWebPort(port: string): boolean {
  return Number(port) === 80 || Number(port) === 443;
}

function keyRest(rest: string): string {
  if (rest === '' || rest === '/') return '';
  return rest.replace(/#.*$/s, '').replace(/\?$/, '').replace(/\/+$/, '');
}
