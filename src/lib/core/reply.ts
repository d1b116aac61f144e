/** One answer element of Zoho, out of its envelope. */
export interface Reply {
  readonly code: string;
  /** Empty when Zoho gave none, or something that is no object. */
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * Unwraps both of Zoho's envelopes: the bare `{code, details, …}` and `{"<name>": [{code, details, …}]}`. Undefined when it
 * is neither, when the array does not hold exactly one element (one is all we ever ask for), or when the code is no code.
 */
export function parseReply(body: unknown): Reply | undefined {
  if (!isRecord(body)) return undefined;
  if (body.code !== undefined) return replyOf(body);
  const values = Object.values(body);
  const [elements] = values;
  return values.length === 1 && Array.isArray(elements) && elements.length === 1 ? replyOf(elements[0]) : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Codes end up in logs, the queue and the export: free text, which may quote the row, is not taken for one. */
const CODE = /^\w{1,60}$/;

function replyOf(element: unknown): Reply | undefined {
  if (!isRecord(element) || typeof element.code !== 'string' || !CODE.test(element.code)) return undefined;
  return { code: element.code, details: isRecord(element.details) ? element.details : {} };
}
