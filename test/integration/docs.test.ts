import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = new URL('../..', import.meta.url).pathname;
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const scripts: Record<string, string> = JSON.parse(read('package.json')).scripts;
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path)),
];

describe.each(documents)('%s', (document) => {
  const text = read(document);

  test('names only scripts that package.json has', () => {
    const named = [...text.matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)].map((match) => match[1] ?? '');
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('links only to files that exist', () => {
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] ?? '');
    expect(targets.filter((target) => !existsSync(join(root, dirname(document), target)))).toEqual([]);
  });

  test('names only folders and files of the source that exist', () => {
    const named = [...text.matchAll(/`((?:src|test|bench|examples|docs)\/[\w./-]+)`/g)].map((match) => match[1] ?? '');
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('README.md', () => {
  const readme = read('README.md');

  test('opens with one sentence and the two commands that CI runs', () => {
    const [title, sentence, block] = readme.split('\n\n');
    expect(title).toBe('# zia-bulk-enrich');
    expect(sentence?.match(/\.(?:\s|$)/g)).toHaveLength(1);
    expect(block?.split('\n').map((line) => line.replace(/ *#.*/, ''))).toEqual([
      '```',
      'npm ci && npm run quickstart',
      'npm test',
      '```',
    ]);
  });

  test('names every command of the program', () => {
    const commands = Object.entries(scripts).filter(([, script]) => script.startsWith('node dist/cli/main.js '));
    const missing = commands
      .map(([name]) => name)
      .filter((name) => !new RegExp(`\\| \`npm (run )?${name}\\b`).test(readme));
    expect(missing).toEqual([]);
  });

  test('names every setting it uses as the configuration does', () => {
    const settings = [...readme.matchAll(/\b(?:ZIA|ZOHO)_[A-Z_]+\b/g)].map(([name]) => name);
    const documented = read('docs/configuration.md');
    expect(settings.filter((name) => !documented.includes(`\`${name}\``))).toEqual([]);
  });
});
