import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command, Option } from 'commander';
import type { Environment } from '../lib/config.js';
import { movedByNpm } from '../lib/invocation.js';

/** The folder the user typed the command in: npm moves to the package's own. */
export function typedIn(env: Environment, cwd: string): string {
  return movedByNpm(env, cwd) ? (env.INIT_CWD ?? cwd) : cwd;
}

/** Flags that npm takes for abbreviations of its own: what it makes of them, and what their values look like. */
const DISGUISED: readonly { readonly flag: string; readonly seenAs: readonly string[]; readonly value: RegExp }[] = [
  { flag: '--map', seenAs: ['all', 'parseable'], value: /=/ },
  { flag: '--engine', seenAs: ['engine-strict'], value: /^(redis|embedded)$/ },
];

/**
 * npm keeps flags typed without `--` for itself, so `npm run export a.csv --out o.csv` arrives as two bare words.
 * The line the user should have typed, when npm kept flags of `command`; else null.
 */
export function lineWithoutSwallowedFlags(command: Command, words: readonly string[], env: Environment): string | null {
  const firstFlag = words.findIndex((word) => word.startsWith('-'));
  const bare = [...(firstFlag < 0 ? words : words.slice(0, firstFlag))];
  const kept = firstFlag < 0 ? [] : words.slice(firstFlag);
  const swallowed = swallowedFlags(command, bare, env);
  if (swallowed.length === 0) return null;
  const folder = env.INIT_CWD ?? '';
  const flags = swallowed.flatMap((flag) => flagWords(flag, bare, command.registeredArguments.length, folder));
  const script = env.npm_lifecycle_event ?? command.name();
  const start = script === 'start' ? ['npm', 'start', '--', ...bare] : ['npm', 'run', script, ...bare, '--'];
  return [...start, ...flags, ...kept].map(quoted).join(' ');
}

interface Swallowed {
  readonly option: Option;
  /** What npm made of it: the value, or `true` when the value, if any, became a bare word. */
  readonly value: string;
  readonly looksLike: RegExp | null;
}

function swallowedFlags(command: Command, bare: readonly string[], env: Environment): readonly Swallowed[] {
  const settings = typedSettings(env);
  const plain = [...settings].flatMap(([name, value]) => {
    const option = command.options.find(({ long }) => long === `--${name}`);
    return option === undefined
      ? []
      : [{ option, value, looksLike: /<(n|ms|seconds|port)>/.test(option.flags) ? /^\d/ : null }];
  });
  const disguised = DISGUISED.flatMap(({ flag, seenAs, value }) => {
    const option = command.options.find(({ long }) => long === flag);
    const typed = seenAs.every((name) => settings.has(name)) && bare.some((word) => value.test(word));
    return option === undefined || !typed ? [] : [{ option, value: 'true', looksLike: value }];
  });
  return [...disguised, ...plain];
}

/** The settings npm passes on that do not come from an .npmrc file, in the order typed. */
function typedSettings(env: Environment): ReadonlyMap<string, string> {
  const files = [
    env.npm_config_userconfig ?? env.NPM_CONFIG_USERCONFIG,
    env.npm_config_globalconfig ?? env.NPM_CONFIG_GLOBALCONFIG,
    besideManifest(env),
  ];
  const written = new Set(files.flatMap((file) => (file === undefined ? [] : namesIn(file))));
  const settings = Object.entries(env).flatMap(([key, value]): [string, string][] => {
    const name = /^npm_config_(.+)$/.exec(key)?.[1]?.replaceAll('_', '-');
    return name === undefined || value === undefined || written.has(name) ? [] : [[name, value]];
  });
  return new Map(settings);
}

function besideManifest(env: Environment): string | undefined {
  const manifest = env.npm_package_json;
  return manifest === undefined ? undefined : join(dirname(manifest), '.npmrc');
}

function namesIn(file: string): readonly string[] {
  try {
    return [...readFileSync(file, 'utf8').matchAll(/^\s*([\w-]+)\s*=/gm)].map(([, name]) => name ?? '');
  } catch {
    return [];
  }
}

/** The flag as it should be typed; takes its value out of `bare` when npm made a bare word of it. */
function flagWords(
  { option, value, looksLike }: Swallowed,
  bare: string[],
  wanted: number,
  folder: string,
): readonly string[] {
  const name = option.long ?? option.flags;
  if (!option.required && !option.optional) return [name];
  if (value !== 'true') return [name, value];
  if (option.variadic || name === '--map') {
    const values = bare.filter((word) => looksLike?.test(word) ?? false);
    for (const word of values) bare.splice(bare.indexOf(word), 1);
    return values.flatMap((word) => [name, word]);
  }
  // Nobody can tell any more which word stood behind the flag; an existing file is rather the input than what is written.
  const mayBe = (word: string) => looksLike?.test(word) ?? bare.length > wanted;
  const isNew = (word: string) => !existsSync(resolve(folder, word));
  const surest = bare.findLastIndex((word) => mayBe(word) && isNew(word));
  const index = surest >= 0 ? surest : bare.findLastIndex(mayBe);
  const word = index < 0 ? undefined : bare.splice(index, 1)[0];
  return [name, word ?? option.flags.replace(/^.*?(<.*>|\[.*\])$/, '$1')];
}

export function quoted(word: string): string {
  return /^[\w@%+=:,./<>-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
