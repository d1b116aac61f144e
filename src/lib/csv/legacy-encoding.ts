import { UsageError } from '../errors.js';
import type { Encoding } from './encoding.js';

const DEFAULT = 'windows-1252';
/** What is not Latin script is told from as much of it as this. */
const MAX_SAMPLE_BYTES = 16_384;
/** Encodings of Latin script; the detector takes short texts of one for another. */
const LATIN = /^(windows-125[0247]|iso-?8859-(1|2|9|13|15|16)|macroman)$/i;
/** Those of other scripts; the detector also names code pages that no program has written for decades. */
const OTHER =
  /^(windows-125[1356]|windows-874|koi8-[ru]|iso-?8859-[5-8]|gb18030|gb2312|big5|euc-(jp|kr|tw)|cp949|cp932|shift_jis)$/i;
/** Encodings whose letters take two bytes, of which the second may be ASCII. */
const WIDE = /^(gb18030|gb2312|big5|euc-(jp|kr|tw)|cp949|cp932|shift_jis)$/i;
/** So much surer of two-byte letters the detector must be where they do not stand in rows. */
const FAR_SURER = 4;
/**
 * So much surer the detector must be of another Latin encoding than of windows-1252: two or more Western names gave at most
 * 1.15 for windows-1250, most Polish, Czech and Hungarian ones 1.5 and more.
 */
const MUCH_SURER = 1.4;
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
  const { encodingExists, decode } = (await import('iconv-lite')).default;
  const found = detectAll(sample).map(({ encoding, confidence }) => ({
    name: (encoding ?? '').toLowerCase(),
    confidence,
  }));
  const known = found.filter(({ name }) => encodingExists(SUPERSETS[name] ?? name));
  const latin = known.find(({ name }) => LATIN.test(name));
  const other = known.find(({ name }) => OTHER.test(name));
  const inRows = isMostlyInRows(sample);
  if (other !== undefined && isOther(other, latin?.confidence ?? 0, inRows)) return SUPERSETS[other.name] ?? other.name;
  if (latin === undefined) return DEFAULT;
  const own = inRows ? null : byItsLetters(sample, (encoding) => decode(sample, encoding));
  if (own !== null) return own;
  const western = found.find(({ name }) => name === DEFAULT)?.confidence ?? 0;
  const isSure = inRows || (western > 0 && latin.confidence >= MUCH_SURER * western) || hasUndefined(sample);
  return isSure ? (SUPERSETS[latin.name] ?? latin.name) : DEFAULT;
}

interface Guess {
  readonly name: string;
  readonly confidence: number;
}

function isOther({ name, confidence }: Guess, latin: number, inRows: boolean): boolean {
  return inRows ? confidence >= latin : WIDE.test(name) && confidence >= FAR_SURER * latin;
}

/** Letters of Turkish beyond ASCII, where windows-1252 has some of Icelandic, which would not do without á, í and æ. */
const TURKISH = /^[ĞİŞğışÖÜÇöüçÂÎÛâîû’“”–]*$/u;
const ONLY_TURKISH = /[ĞİŞğış]/u;

/**
 * Encodings that the detector does not tell from windows-1252, by the letters they give: Turkish, and those of DOS and Mac,
 * which have their accents where windows-1252 has signs that do not stand between letters. Null when it is none of them.
 */
function byItsLetters(sample: Buffer, decode: (encoding: Encoding) => string): Encoding | null {
  const beyondAscii = decode('windows-1254').replace(/[\0-\x7f]/g, '');
  if (TURKISH.test(beyondAscii) && ONLY_TURKISH.test(beyondAscii)) return 'windows-1254';
  const [western, dos, mac] = [DEFAULT, 'cp850', 'macroman'].map((encoding) => lettersShare(decode(encoding), sample));
  if (western === undefined || dos === undefined || mac === undefined || western >= 0.75) return null;
  if (Math.max(dos, mac) < 0.9) return null;
  return dos > mac ? 'cp850' : 'macroman';
}

/** Apostrophes and dashes of windows-1252 stand between letters, its quotation marks beside one. */
const BETWEEN = [0x91, 0x92, 0x95, 0x96, 0x97];
const QUOTES = [0x93, 0x94];

/** Of the bytes beyond ASCII beside a letter, the share that is a letter itself, and a small one after a small one; 1 of none. */
function lettersShare(text: string, sample: Buffer): number {
  let beside = 0;
  let letters = 0;
  for (let at = 0; at < sample.length; at += 1) {
    const byte = sample[at] ?? 0;
    const before = text[at - 1] ?? '';
    const neighbours = [before, text[at + 1] ?? ''].filter((character) => /[a-z]/i.test(character)).length;
    if (byte < 0x80 || BETWEEN.includes(byte) || neighbours < (QUOTES.includes(byte) ? 2 : 1)) continue;
    beside += 1;
    if ((/[a-z]/.test(before) ? /[ß-öø-ÿšžœ]/ : /[À-ÖØ-öø-ÿŠŽŒŸšžœ]/).test(text[at] ?? '')) letters += 1;
  }
  return beside === 0 ? 1 : letters / beside;
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
