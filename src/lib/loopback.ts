import { isIP } from 'node:net';

/** True for a name or an address, in brackets or not, that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const bare = unbracketed(host);
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** The host of a request's Host header; empty when there is none. */
export function hostOf(header: string | undefined): string {
  return unbracketed((header ?? '').replace(/:\d+$/, ''));
}

export function unbracketed(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
}
