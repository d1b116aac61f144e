import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Columns as in `examples/accounts.csv`, without those that only the example needs. */
const HEADER = 'Account Name,Email,Website,Industry,City';
const INDUSTRIES = ['Transport', 'Media', 'Food', 'Retail', 'Energy', 'Software', 'Construction'];
const CITIES = ['Austin', 'Bristol', 'Chicago', 'Dresden', 'Exeter', 'Fremont', 'Granada', 'Hobart', 'Iowa City'];
const LINES_AT_ONCE = 10_000;

/** Writes a CSV file of so many different companies. Files with different `first` numbers have no row in common. */
export async function writeCompanies(path: string, rows: number, first = 1): Promise<void> {
  await pipeline(Readable.from(companyLines(rows, first)), createWriteStream(path));
}

function* companyLines(rows: number, first: number): Generator<string> {
  yield `${HEADER}\n`;
  for (let done = 0; done < rows; done += LINES_AT_ONCE) {
    const count = Math.min(LINES_AT_ONCE, rows - done);
    yield Array.from({ length: count }, (_, index) => companyLine(first + done + index)).join('');
  }
}

function companyLine(number: number): string {
  const industry = INDUSTRIES[number % INDUSTRIES.length];
  const city = CITIES[number % CITIES.length];
  return `Company ${number} Ltd,info@company-${number}.example,https://www.company-${number}.example,${industry},${city}\n`;
}
