import type { Command } from 'commander';
import { quoted } from './npm.js';

/** Flags that say how much is taken and how it is told, not what is done with it. */
const LEFT_OUT = ['--limit', '--yes', '-y', '--json', '--priority', '--engine', '--again'];

/**
 * The command that finishes what a `run` began, and no more: the words that were typed, so that columns and places stay as
 * they were. With `--limit` those ten rows are known by then, and the same words would take ten more: so it takes none.
 */
export function finishingCommand(command: Command, words: readonly string[]): string {
  const typed = words.slice(words.indexOf(command.name()) + 1);
  const isLimited = command.opts().limit !== undefined;
  const kept = isLimited
    ? [...without(command, typed, LEFT_OUT), '--limit', '0']
    : without(command, typed, ['--again']);
  return `npm start -- ${kept.map(quoted).join(' ')}`;
}

function without(command: Command, words: readonly string[], names: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const [name = ''] = word.split('=');
    if (!names.includes(name)) {
      kept.push(word);
      continue;
    }
    const option = command.options.find(({ long, short }) => long === name || short === name);
    if (option?.required && !word.includes('=')) at += 1;
  }
  return kept;
}
