import { UsageError } from '../errors.js';
import { VARIABLES, type VariableInfo } from './variables.js';

/** One thing wrong with the environment. */
export interface ConfigProblem {
  readonly variable: string;
  readonly expectation: string;
  /** As given; masked when the variable is a secret; null when the value is not what is wrong. */
  readonly received: string | null;
}

/** Everything wrong with the environment, found at once. Exit code 2. */
export class ConfigError extends UsageError {
  constructor(readonly problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? 'One setting is' : `${problems.length} settings are`;
    super('CONFIG_INVALID', `${count} wrong:\n${problems.map((problem) => `  ${describe(problem)}`).join('\n')}`);
  }
}

function describe({ variable, expectation, received }: ConfigProblem): string {
  return `${variable}: expected ${expectation}${received === null ? '' : `, received ${received}`}`;
}

/** The value as it may be shown to anyone: secrets keep nothing but their length. */
export function shown(variable: string, value: string): string {
  const secret = VARIABLES.find(({ name }) => name === variable)?.secret ?? false;
  return secret ? `a secret of ${value.length} characters` : JSON.stringify(value.slice(0, 80));
}

/** The problem of a `ZIA_` name that nobody reads. */
export function unknownName(name: string): ConfigProblem {
  const near = nearest(name);
  const hint = near === null ? '(docs/configuration.md lists them)' : `- did you mean ${near.name}?`;
  return { variable: name, expectation: `the name of a setting ${hint}`, received: null };
}

function nearest(name: string): VariableInfo | null {
  const longer = VARIABLES.find((info) => info.name.startsWith(`${name}_`));
  if (longer !== undefined) return longer;
  const limit = Math.max(3, Math.floor(name.length / 3));
  const ranked = VARIABLES.map((info) => ({ info, distance: editDistance(name, info.name) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.info ?? null;
}

/** Levenshtein distance, one row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
