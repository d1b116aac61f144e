import { UsageError } from '../errors.js';
import type { Encoding } from './encoding.js';

const DEFAULT = 'windows-1252';
/** What is not Latin script is told from as much of it as this. */
const MAX_SAMPLE_BYTES = 16_384;
/** Encodings of Latin script; the detector takes short texts of one for another. */
const LATIN = /^(windows-125[0247]|iso-?8859-(1|2|9|13|15|16)|macroman)$/i;
/** So much surer the detector must be of another Latin encoding than of windows-1252. */
const MUCH_SURER = 2;
/** As browsers do: the Windows encoding has all characters of the ISO one, and more. */
const SUPERSETS: Readonly<Record<string, Encoding>> = {
  'iso-8859-1': DEFAULT,
  'iso-8859-15': DEFAULT,
  'iso8859-15': DEFAULT,
  'iso-8859-9': 'windows-1254',
  gb2312: 'gb18030',
  'euc-kr': 'cp949',
  shift_jis: 'cp932',
};

/**
 * The encoding of records that are no UTF-8, each a line. Latin scripts have letters beyond ASCII one by one among others,
 * the other scripts have them in a row: this decides between the two, the detector within them.
 */
export async function detectLegacyEncoding(lines: Buffer): Promise<Encoding> {
  const sample = lines.subarray(0, MAX_SAMPLE_BYTES);
  // A megabyte of tables that only such files need.
  const { detectAll } = await import('jschardet');
  const { encodingExists } = (await import('iconv-lite')).default;
  const found = detectAll(sample).map(({ encoding, confidence }) => ({
    name: (encoding ?? '').toLowerCase(),
    confidence,
  }));
  const isLatin = !isMostlyInRows(sample);
  const best = found.find(({ name }) => LATIN.test(name) === isLatin && encodingExists(SUPERSETS[name] ?? name));
  if (best === undefined) return DEFAULT;
  const western = found.find(({ name }) => name === DEFAULT)?.confidence ?? 0;
  const isSure = !isLatin || (western > 0 && best.confidence >= MUCH_SURER * western) || hasUndefined(sample);
  return isSure ? (SUPERSETS[best.name] ?? best.name) : DEFAULT;
}

/** Bytes that windows-1252 does not have. */
function hasUndefined(sample: Buffer): boolean {
  return sample.some((byte) => byte === 0x81 || byte === 0x8d || byte === 0x8f || byte === 0x90 || byte === 0x9d);
}

function isMostlyInRows(sample: Buffer): boolean {
  let alone = 0;
  let inRows = 0;
  for (let at = 0; at < sample.length; at += 1) {
    if ((sample[at] ?? 0) < 0x80) continue;
    if ((sample[at - 1] ?? 0) >= 0x80 || (sample[at + 1] ?? 0) >= 0x80) inRows += 1;
    else alone += 1;
  }
  return inRows > 2 * alone;
}

export function notUtf8(fileName: string): UsageError {
  return new UsageError(
    'FILE_NOT_UTF8',
    `${fileName} is marked as UTF-8 but holds bytes that are not: save it again as "CSV UTF-8".`,
  );
}
