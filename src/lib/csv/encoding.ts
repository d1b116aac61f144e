import { StringDecoder } from 'node:string_decoder';
import iconv from 'iconv-lite';

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** What a file's first bytes say: its mark and the encoding it names; without a mark UTF-8 is tried first. */
export interface EncodingMark {
  readonly encoding: Encoding;
  /** Length of the byte order mark; 0 without one. */
  readonly bomBytes: number;
}

export function encodingMark(head: Uint8Array): EncodingMark {
  const [a, b, c] = head;
  if (a === 0xef && b === 0xbb && c === 0xbf) return { encoding: 'utf-8', bomBytes: 3 };
  if (a === 0xff && b === 0xfe) return { encoding: 'utf-16le', bomBytes: 2 };
  if (a === 0xfe && b === 0xff) return { encoding: 'utf-16be', bomBytes: 2 };
  return { encoding: 'utf-8', bomBytes: 0 };
}

/** Turns a file's bytes, in order, into text; characters cut by a chunk's end are completed by the next.
 * Chunks of UTF-16 have an even length. */
export interface Decoder {
  /** Throws `NotUtf8Error` when the encoding is UTF-8 and the bytes are not. */
  decode(bytes: Buffer, final: boolean): string;
}

export class NotUtf8Error extends Error {
  constructor() {
    super('The bytes are not valid UTF-8.');
    this.name = 'NotUtf8Error';
  }
}

/** A decoder for one pass over a file, after its byte order mark. */
export function createDecoder(encoding: Encoding): Decoder {
  switch (encoding) {
    case 'utf-8':
      return utf8Decoder();
    case 'utf-16le':
      return utf16Decoder(false);
    case 'utf-16be':
      return utf16Decoder(true);
    case 'windows-1252':
      // Not TextDecoder: Node 20.18.3 and later read it as Latin-1, so curly quotes and the euro sign became control characters
      // (nodejs/node#56542).
      return { decode: (bytes) => iconv.decode(bytes, 'win1252') };
  }
}

function utf8Decoder(): Decoder {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  return {
    decode(bytes, final) {
      try {
        return decoder.decode(bytes, { stream: !final });
      } catch {
        throw new NotUtf8Error();
      }
    },
  };
}

function utf16Decoder(bigEndian: boolean): Decoder {
  const decoder = new StringDecoder('utf16le');
  return {
    decode(bytes, final) {
      const even = bytes.length - (bytes.length % 2);
      const pairs = bytes.subarray(0, even);
      const text = decoder.write(bigEndian ? pairs.swap16() : pairs) + (final ? decoder.end() : '');
      // Chunks are even, so a byte is over only where a file was cut short.
      return even < bytes.length ? `${text}\uFFFD` : text;
    },
  };
}
