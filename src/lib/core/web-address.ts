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
  const [, scheme = '', host = '', port = '', rest = ''] = ADDRESS.exec(website) ?? [];
  return { scheme, host, port, rest };
}

const ADDRESS = /^(https?:\/\/)?([^/?#:]*)(?::(\d*))?(.*)$/is;
const BEYOND_ASCII = /[^\0-\x7f]/;
