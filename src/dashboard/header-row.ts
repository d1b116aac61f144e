import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { knownHeaders } from '../lib/core/column-aliases.js';
import { likenessOfCells } from '../lib/core/column-values.js';
import { createDecoder, encodingMark } from '../lib/csv/encoding.js';
import { cellText } from '../reports/export-record.js';
import type { FilePreview } from './file-preview.js';

/** Whether a person should say if the first line names the columns: no program has columns of such names. */
export function isHeaderDoubtful({ headers, headerLine }: Pick<FilePreview, 'headers' | 'headerLine'>): boolean {
  return headerLine === 1 && knownHeaders(headers) === 0;
}

const NAMED = { name: 'Company', email: 'Email', website: 'Website' } as const;

/** Names for the columns of a file that has none: by what their values look like, each name once, else by position. */
export function headersFor({ headers, rows }: Pick<FilePreview, 'headers' | 'rows'>): readonly string[] {
  const taken = new Set<string>();
  return headers.map((first, at) => {
    const like = likenessOfCells([first, ...rows.map(({ cells }) => cells[at] ?? '')]);
    const name = like === null ? '' : NAMED[like];
    if (name === '' || taken.has(name)) return `Column ${at + 1}`;
    taken.add(name);
    return name;
  });
}

const HEAD_BYTES = 65_536;

/** The bytes of a file under a line with these names, in its own encoding, with its delimiter and line end. */
export async function* underHeader(
  path: string,
  names: readonly string[],
  { delimiter, encoding }: Pick<FilePreview, 'delimiter' | 'encoding'>,
): AsyncGenerator<Uint8Array> {
  const head = await headOf(path);
  const { bomBytes } = encodingMark(head);
  yield head.subarray(0, bomBytes);
  const start = createDecoder(encoding).decode(head.subarray(bomBytes), false);
  const lineEnd = /\r\n|\n|\r/.exec(start)?.[0] ?? '\n';
  yield inEncoding(names.map((name) => cellText(name, delimiter)).join(delimiter) + lineEnd, encoding);
  for await (const bytes of createReadStream(path, { start: bomBytes })) yield bytes as Buffer; // no encoding is set
}

async function headOf(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** All of it is ASCII, which only the wide encodings write otherwise. */
function inEncoding(text: string, encoding: string): Buffer {
  if (!encoding.startsWith('utf-16')) return Buffer.from(text, 'latin1');
  const bytes = Buffer.from(text, 'utf16le');
  return encoding === 'utf-16be' ? bytes.swap16() : bytes;
}
