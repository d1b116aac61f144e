import { isAscii, isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import { UsageError } from '../errors.js';

/** `utf-8`, `utf-16le`, `utf-16be`, or another one that iconv-lite reads, in lower case. */
export type Encoding = string;

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

/** The name of an encoding as `--encoding` has it, in our spelling. Throws UsageError UNKNOWN_ENCODING. */
export function namedEncoding(name: string): Encoding {
  const plain = name.trim().toLowerCase();
  if (/^utf-?8$/.test(plain)) return 'utf-8';
  if (/^utf-?16(-?le)?$/.test(plain)) return 'utf-16le';
  if (/^utf-?16-?be$/.test(plain)) return 'utf-16be';
  if (iconv.encodingExists(plain) && !/^(binary|base64|hex|ucs|utf)/.test(plain)) return plain;
  throw new UsageError(
    'UNKNOWN_ENCODING',
    `There is no encoding "${name.slice(0, 40)}": name one such as utf-8, windows-1252, iso-8859-2, windows-1251 or shift_jis.`,
  );
}

/** Turns a file's bytes, in order, into text; characters cut by a chunk's end are completed by the next. */
export interface Decoder {
  decode(bytes: Buffer, final: boolean): string;
}

/** A decoder for one pass over a file, after its byte order mark. */
export function createDecoder(encoding: Encoding): Decoder {
  return encoding === 'utf-8' ? utf8Decoder() : streamDecoder(encoding);
}

/**
 * The bytes of a text that was read as UTF-8: those that were no UTF-8 come back as they were. Every such byte is kept as
 * half a character of its own (U+DC80 to U+DCFF), as Python's `surrogateescape` does.
 */
export function utf8Bytes(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const isPair = code >= 0xd800 && code < 0xdc00 && isLowSurrogate(text.charCodeAt(at + 1));
    if (isPair) at += 1;
    else if (code >= ESCAPED && code < ESCAPED + 0x80) {
      parts.push(Buffer.from(text.slice(from, at), 'utf8'), Buffer.from([code - ESCAPED + 0x80]));
      from = at + 1;
    }
  }
  parts.push(Buffer.from(text.slice(from), 'utf8'));
  return Buffer.concat(parts);
}

const ESCAPED = 0xdc80;

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}

function utf8Decoder(): Decoder {
  let rest: Buffer = Buffer.alloc(0);
  return {
    decode(bytes, final) {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const end = final ? all.length : all.length - unfinishedBytes(all);
      rest = Buffer.from(all.subarray(end));
      return lossless(all.subarray(0, end));
    },
  };
}

/** How many bytes at the end begin a character that is not complete. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return lengthOf(byte) > back ? back : 0;
  }
  return 0;
}

function lengthOf(lead: number): number {
  if (lead >= 0xf0) return 4;
  return lead >= 0xe0 ? 3 : 2;
}

const LINE_FEED = 10;

/** Text with each byte that is no UTF-8 escaped. Line by line: one pasted line must not make the whole file slow. */
function lossless(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(LINE_FEED, start);
    const line = bytes.subarray(start, newline === -1 ? bytes.length : newline + 1);
    text += isUtf8(line) ? line.toString('utf8') : escaped(line);
    start += line.length;
  }
  return text;
}

function escaped(line: Buffer): string {
  let text = '';
  for (let at = 0; at < line.length; ) {
    const byte = line[at] ?? 0;
    const length = byte < 0x80 ? 1 : lengthOf(byte);
    const one = line.subarray(at, at + length);
    if (byte < 0x80 || (byte >= 0xc0 && one.length === length && isUtf8(one))) {
      text += one.toString('utf8');
      at += length;
    } else {
      text += String.fromCharCode(ESCAPED + byte - 0x80);
      at += 1;
    }
  }
  return text;
}

function streamDecoder(encoding: Encoding): Decoder {
  // Not TextDecoder: Node 20.18.3 and later read windows-1252 as Latin-1, so curly quotes and the euro sign became control
  // characters (nodejs/node#56542).
  const decoder = iconv.getDecoder(encoding, { stripBOM: false });
  let odd = false;
  const isWide = encoding.startsWith('utf-16');
  return {
    decode(bytes, final) {
      const text = decoder.write(bytes);
      if (isWide && bytes.length % 2 === 1) odd = !odd;
      if (!final) return text;
      // A file that was cut in the middle of a character ends with one that cannot be read.
      return text + (decoder.end() ?? '') + (odd ? '\uFFFD' : '');
    },
  };
}
