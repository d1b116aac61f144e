import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const root = new URL('../..', import.meta.url).pathname;

/** What the program is made of, without the stand-in: its codes are Zoho's. */
const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(ts|lua|sql)$/.test(path) && !path.startsWith('sandbox'))
  .map((path) => readFileSync(join(root, 'src', path), 'utf8'));

const documented = [...readFileSync(join(root, 'docs', 'errors.md'), 'utf8').matchAll(/^\| `(\w+)` \|/gm)].map(
  ([, code = '']) => code,
);

const CODE = '[A-Z][A-Z0-9_]{3,}';
/** How codes come into being: thrown, given as an outcome, or as the reason of a ledger entry. */
const BIRTHS = [
  new RegExp(`(?:UsageError|AppError|super)\\(\\s*'(${CODE})'`, 'g'),
  new RegExp(`\\bcode: '(${CODE})'`, 'g'),
  new RegExp(`\\bcode: (?:'${CODE}' \\| )*'(${CODE})'`, 'g'),
  new RegExp(`(?:hold\\(key, entry|doubt\\(key, call\\.callId|reason(?: =|:)[^'\\n]*), '(${CODE})'`, 'g'),
  new RegExp(`reason = 'uncertain', '(${CODE})'`, 'g'),
  new RegExp(`reason: (?:held \\? '${CODE}' : )?'(${CODE})'`, 'g'),
];

function born(): readonly string[] {
  const found = source.flatMap((text) =>
    BIRTHS.flatMap((birth) => [...text.matchAll(birth)].map(([, code = '']) => code)),
  );
  const faults = readFileSync(join(root, 'src/lib/core/known-faults.ts'), 'utf8');
  const stops = [...faults.matchAll(new RegExp(`^ {2}(${CODE}): \\{`, 'gm'))].map(([, code = '']) => code);
  const kinds = readFileSync(join(root, 'src/lib/csv/file-kind.ts'), 'utf8');
  const signatures = [
    ...(/^const SIGNATURES[\s\S]*?^];/m.exec(kinds)?.[0] ?? '').matchAll(new RegExp(`'(${CODE})'`, 'g')),
  ].map(([, code = '']) => code);
  const check = readFileSync(join(root, 'src/lib/core/input-check.ts'), 'utf8');
  const findings = /type FindingCode =([\s\S]*?);/.exec(check)?.[1]?.match(new RegExp(`(?<=\\| ')${CODE}`, 'g')) ?? [];
  const rows = readFileSync(join(root, 'src/lib/core/row.ts'), 'utf8');
  const rejects = /type RejectCode =([\s\S]*?);/.exec(rows)?.[1]?.match(new RegExp(CODE, 'g')) ?? [];
  const oauth = readFileSync(join(root, 'src/lib/zoho/oauth.ts'), 'utf8');
  const refusals = [...(/^const ADVICE[\s\S]*?^};/m.exec(oauth)?.[0] ?? '').matchAll(/^ {2}([a-z_]+): '/gm)].map(
    ([, code = '']) => code,
  );
  return [...new Set([...found, ...stops, ...signatures, ...findings, ...rejects, ...refusals])];
}

test('docs/errors.md has every code of the program', () => {
  const codes = born();
  expect(codes.length).toBeGreaterThan(80);
  expect(codes.filter((code) => !documented.includes(code)).sort()).toEqual([]);
});

test('docs/errors.md has no code that the program does not know, and each once', () => {
  const known = (code: string) => source.some((text) => new RegExp(`\\b${code}\\b`).test(text));
  expect(documented.filter((code) => !known(code))).toEqual([]);
  expect(documented.filter((code, at) => documented.indexOf(code) !== at)).toEqual([]);
});
