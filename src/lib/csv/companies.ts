import type { Finding } from '../core/input-check.js';
import { keyName, keyWebsite } from '../core/key-form.js';
import type { Row } from '../core/row.js';
import { hostOf } from '../core/web-address.js';
import { createHash32 } from './hash32.js';
import { noLines, noteLine } from './noted-lines.js';
import { createNumberTable } from './number-table.js';

/** Only the first rows are compared: what is noticed is a hint, and memory is for the rows. */
const MAX_COMPARED = 100_000;
/** Hosts that show the same pages. */
const SAME_SITE = /^(?:www\d*|m|mobile)\./;

/** Notices rows that are one company, in a file of so many. */
export function createCompanies(rows: number) {
  const hash = createHash32(4);
  /** The line of a company's first row; 0 once that is noted. */
  const firstLines = createNumberTable(Math.min(rows, MAX_COMPARED));
  const websites = createNumberTable(Math.min(rows, MAX_COMPARED));
  const oneCompany = { ...noLines(), companies: 0 };
  const nearDuplicates = noLines();
  let compared = 0;
  let byWebsite = 0;

  function addCompany(company: number, line: number): void {
    const first = firstLines.get(company);
    if (first === undefined) {
      firstLines.set(company, line);
      return;
    }
    if (first > 0) {
      oneCompany.companies += 1;
      noteLine(oneCompany, first);
      firstLines.set(company, 0);
    }
    noteLine(oneCompany, line);
  }

  return {
    add: ({ name, website }: Row, line: number): void => {
      if (compared >= MAX_COMPARED || (name === undefined && website === undefined)) return;
      compared += 1;
      const site = website === undefined ? '' : keyWebsite(website);
      if (site !== '') byWebsite += 1;
      const named = name === undefined ? '' : keyName(name);
      addCompany(hash(site === '' ? `n${named}` : site), line);
      if (site === '' || named === '') return;
      const pair = hash(`${named}\n${hostOf(site).replace(SAME_SITE, '')}`);
      const other = websites.get(pair);
      const own = hash(site);
      if (other === undefined) websites.set(pair, own);
      else if (other !== own) noteLine(nearDuplicates, line);
    },
    findings: (): readonly Finding[] => [
      ...(oneCompany.count === 0
        ? []
        : [
            {
              code: 'ONE_COMPANY' as const,
              ...oneCompany,
              lines: oneCompany.lines.toSorted((a, b) => a - b),
              by: byWebsite * 2 >= compared ? ('website' as const) : ('name' as const),
            },
          ]),
      ...(nearDuplicates.count === 0 ? [] : [{ code: 'NEAR_DUPLICATE' as const, ...nearDuplicates }]),
    ],
  };
}
