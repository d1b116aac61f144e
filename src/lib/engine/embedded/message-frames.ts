const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;
export const QUERY = 0x51; // Q
const SYNC = 0x53; // S
const TERMINATE = 0x58; // X

export type ClientUnit =
  /** Messages to run one after the other with nobody else's between: a start-up, a simple query, or all up to a Sync. */
  | { readonly kind: 'batch'; readonly messages: readonly Buffer[] }
  /** Encryption is asked for: the answer is N. */
  | { readonly kind: 'no-encryption' }
  | { readonly kind: 'end' };

/** Cuts what one client sends, in whatever pieces it arrives, into units. */
export function createFrameReader(): (data: Buffer) => ClientUnit[] {
  let rest: Buffer = Buffer.alloc(0);
  let started = false;
  let batch: Buffer[] = [];

  function next(): ClientUnit | 'more' | 'incomplete' {
    const headLength = started ? 5 : 8;
    if (rest.length < headLength) return 'incomplete';
    const length = started ? 1 + rest.readInt32BE(1) : rest.readInt32BE(0);
    if (rest.length < length) return 'incomplete';
    const message = rest.subarray(0, length);
    rest = rest.subarray(length);
    if (!started) return first(message);
    if (message[0] === TERMINATE) return { kind: 'end' };
    batch.push(message);
    if (message[0] !== QUERY && message[0] !== SYNC) return 'more';
    const messages = batch;
    batch = [];
    return { kind: 'batch', messages };
  }

  function first(message: Buffer): ClientUnit {
    const code = message.readInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) return { kind: 'no-encryption' };
    // There is no second session to cancel from.
    if (code === CANCEL_REQUEST) return { kind: 'end' };
    started = true;
    return { kind: 'batch', messages: [message] };
  }

  return (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    const units: ClientUnit[] = [];
    for (;;) {
      const unit = next();
      if (unit === 'incomplete') return units;
      if (unit !== 'more') units.push(unit);
    }
  };
}
