import { expect, test } from '@jest/globals';
import iconv from 'iconv-lite';
import { detectLegacyEncoding } from '../../src/lib/csv/legacy-encoding.js';

const POLISH = ['Zakład Przemysłowy Łódź', 'Spółka Śląska', 'Żabka Polska', 'Hurtownia Wrocław', 'Firma Kowalski'];
const CZECH = ['Pekařství Novák', 'Český Krumlov Hotel', 'Truhlářství Dvořák', 'Železárny Třinec'];
const TURKISH = ['İstanbul Gıda A.Ş.', 'Şişecam Sanayi', 'Çağdaş Yapı', 'Öz Kardeşler Ltd. Şti.'];
const ICELANDIC = ['Þórður Ægisson ehf.', 'Íslenskt sjávarfang', 'Bókabúð Máls og menningar'];
const GERMAN = ['Müller Söhne', 'Bäckerei Groß', 'Grün & Söhne'];
const FRENCH = ['Café Préféré', 'Société Générale', 'Hôtel de la Forêt'];
const RUSSIAN = ['ООО Ромашка', 'Завод Урал', 'Торговый дом Восток'];

/** Each is what a program of that country writes where it does not write UTF-8. */
test.each<[string, readonly string[]]>([
  ['windows-1252', GERMAN],
  ['windows-1252', FRENCH],
  ['windows-1252', ICELANDIC],
  ['windows-1252', ['O’Neil “Foods”', 'Fernhill – Press', 'Pâtisserie d’Azur', '20 € Shop']],
  ['windows-1252', ['d’Azur SA', 'L’Atelier']],
  ['windows-1250', POLISH],
  ['windows-1250', ['Łódź Meble Sp. z o.o.', 'Żółć S.A.']],
  ['windows-1250', CZECH],
  ['windows-1254', TURKISH],
  ['windows-1251', RUSSIAN],
  ['koi8-r', RUSSIAN],
  ['cp850', GERMAN],
  ['cp850', FRENCH],
  ['macroman', GERMAN],
  ['macroman', FRENCH],
  ['big5', ['台灣積體電路', '鴻海精密工業']],
  ['gb18030', ['上海贸易有限公司', '北京科技有限公司']],
  ['cp949', ['삼성전자', '현대자동차']],
  ['cp932', ['株式会社サンプル', '東京印刷']],
])('%s is told from %j', async (encoding, names) => {
  const lines = names.map((name, at) => `${name};firma-${at}.example`).join('\n');
  expect(await detectLegacyEncoding(iconv.encode(lines, encoding))).toBe(encoding);
});
