/** What every page shows that does not change. */
export interface Frame {
  /** Engine and store, without credentials. */
  readonly where: string;
  readonly queueName: string;
  /** The name of the settings in use; null for the plain ones. */
  readonly profile: string | null;
  /** The Zoho account; null without credentials. */
  readonly account: FrameAccount | null;
  readonly module: string;
  /** Who is logged in; null when nobody has to. */
  readonly user: string | null;
  /** Nothing can be changed from the pages. */
  readonly readOnly: boolean;
  /** The configured limits. */
  readonly ratePerSecond: number;
  readonly maxInFlight: number;
}

export interface FrameAccount {
  /** Such as `EU`. */
  readonly dataCenter: string;
  /** A rehearsal: the stand-in on this machine, or a sandbox org of Zoho's. */
  readonly isSandbox: boolean;
  /** The org's name once it is known. */
  readonly org: () => string | null;
}

/** In words: `Acme Ltd (EU, live)`. */
export function orgWords({ account }: Frame): string {
  if (account === null) return 'no Zoho account';
  const kind = account.isSandbox ? 'sandbox' : 'live';
  return `${account.org() ?? 'the org'} (${account.dataCenter}, ${kind})`;
}
