const SECRET_NAME = /(token|secret|password|authorization)$/i;
const HIDDEN = '[hidden]';

/** Each replaces only the secret part of what it matches. */
const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, `$1${HIDDEN}@`],
  [/\b(Zoho-oauthtoken|Bearer|Basic)\s+[^\s"',]+/gi, `$1 ${HIDDEN}`],
  [
    /\b((?:client_secret|refresh_token|access_token|code|password|token)["']?\s*[=:]\s*["']?)[^\s"'&,}]+/gi,
    `$1${HIDDEN}`,
  ],
  [/\b1000\.[0-9a-f]{16,}(?:\.[0-9a-f]{16,})?\b/gi, HIDDEN],
];

/**
 * `text` without what looks like a secret: passwords in addresses, Authorization values, OAuth parameters, Zoho tokens,
 * and every one of `secrets` wherever it stands.
 */
export function redactText(text: string, secrets: readonly string[] = []): string {
  const known = secrets.reduce((result, secret) => result.replaceAll(secret, HIDDEN), text);
  return SECRET_TEXTS.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), known);
}

/** A copy of an event's fields: those named like a secret are hidden whole, the text of the others is redacted. */
export function redactFields<T>(
  fields: Readonly<Record<string, T>>,
  secrets: readonly string[] = [],
): Record<string, T | string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (typeof value !== 'string') return [name, value];
      return [name, SECRET_NAME.test(name) ? HIDDEN : redactText(value, secrets)];
    }),
  );
}
