import { isIP } from 'node:net';
import * as z from 'zod';

/** A whole number between `min` and `max`. */
export function wholeNumber(min: number, max: number) {
  return numeric(/^\d{1,15}$/, min, max, `a whole number from ${min} to ${max}`);
}

/** A number above 0, at most `max`; fractions are fine. */
export function positiveNumber(max: number) {
  return numeric(/^\d{1,15}(\.\d{1,6})?$/, Number.MIN_VALUE, max, `a number above 0, at most ${max}`);
}

/** One of these words, in any case. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  return z
    .string()
    .toLowerCase()
    .pipe(z.enum(words, { error: `one of ${words.join(', ')}` }));
}

export function ipAddress() {
  return z.string().refine((text) => isIP(text) !== 0, { error: 'an IP address such as 10.0.0.2' });
}

export function matching(pattern: RegExp, expectation: string) {
  return z.string().regex(pattern, { error: expectation });
}

/** An origin such as `https://www.zohoapis.com`, without its trailing slash; plain http for this machine only. */
export function origin() {
  return z.string().transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url !== null && isOrigin(url) && isTrustworthy(url)) return url.origin;
    context.addIssue('an https:// address without path, user or query (http:// only for this machine)');
    return z.NEVER;
  });
}

/** A proxy's address; http is meant when no scheme is given. */
export function proxyAddress() {
  return z.string().transform((text, context) => {
    const address = text.includes('://') ? text : `http://${text}`;
    const url = URL.canParse(address) ? new URL(address) : null;
    if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '') return url.href;
    context.addIssue('an http:// or https:// address such as http://proxy.example:3128');
    return z.NEVER;
  });
}

function numeric(form: RegExp, min: number, max: number, expectation: string) {
  return z.string().transform((text, context) => {
    const value = form.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    context.addIssue(expectation);
    return z.NEVER;
  });
}

function isOrigin(url: URL): boolean {
  return url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
}

function isTrustworthy(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}

/** The address of a webhook; plain http for this machine only. */
export function webhook() {
  return z.string().transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url !== null && isTrustworthy(url) && url.username === '') return url.href;
    context.addIssue('an https:// address (http:// only for this machine)');
    return z.NEVER;
  });
}

/** Some of these words, separated by commas. */
export function someOf<const T extends readonly [string, ...string[]]>(words: T) {
  return z.string().transform((text, context): readonly T[number][] => {
    const given = text
      .toLowerCase()
      .split(',')
      .map((word) => word.trim());
    const known = words.filter((word) => given.includes(word));
    if (known.length === new Set(given).size) return known;
    context.addIssue(`one or more of ${words.join(', ')}, separated by commas`);
    return z.NEVER;
  });
}

/** A number of at least 0, at most `max`; fractions are fine. */
export function amount(max: number) {
  return numeric(/^\d{1,15}(\.\d{1,6})?$/, 0, max, `a number from 0 to ${max}`);
}

/** A profile becomes part of file names and keys. */
export const PROFILE_NAME = /^[a-z0-9-]{1,40}$/;
