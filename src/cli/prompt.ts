import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import { UsageError } from '../lib/errors.js';

/** A question to a person. */
export interface Question {
  /** Name of the variable that answers it, too. */
  readonly name: string;
  readonly label: string;
  /** Not shown while it is typed. */
  readonly secret: boolean;
  /** The answer as given already; an empty line keeps it. */
  readonly given: string | undefined;
  /** What holds when there is no answer at all. */
  readonly fallback?: string;
}

/**
 * Answers to all questions: asked on a terminal, else read from stdin, one line each, in their order: for all questions, or
 * for those without a given answer. Throws `UsageError` when lines are missing, or the person gives up.
 */
export async function askAll(
  questions: readonly Question[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const isAsked = process.stdin.isTTY === true && process.stderr.isTTY === true;
  const answers = isAsked ? await askEach(questions, signal) : answersIn(await stdinText(questions), questions);
  const missing = questions.filter(({ name }) => (answers.get(name) ?? '') === '').map(({ name }) => name);
  if (missing.length === 0) return answers;
  throw new UsageError(
    'ANSWERS_MISSING',
    `These are needed and were not given: ${missing.join(', ')}; type them on a terminal, set them in the environment, or send them on stdin, one a line.`,
  );
}

/** Where everything is given, nobody has to send anything. */
async function stdinText(questions: readonly Question[]): Promise<string> {
  return questions.every(({ given }) => given !== undefined) ? '' : readAll(process.stdin);
}

function answersIn(text: string, questions: readonly Question[]): ReadonlyMap<string, string> {
  const lines = text
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
    .map((line) => line.trim());
  const open = questions.filter(({ given }) => given === undefined);
  const asked = lines.length >= questions.length ? questions : open;
  const typed = new Map(asked.map(({ name }, at) => [name, lines[at] ?? '']));
  return new Map(questions.map(({ name, given, fallback = '' }) => [name, typed.get(name) || (given ?? fallback)]));
}

async function askEach(questions: readonly Question[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  let hidden = false;
  const screen = new Writable({
    write: (chunk, _encoding, done) => {
      if (!hidden) process.stderr.write(chunk);
      done();
    },
  });
  const terminal = createInterface({ input: process.stdin, output: screen, terminal: true });
  const closed = new Promise<null>((resolve) => terminal.once('close', () => resolve(null)));
  const answers = new Map<string, string>();
  try {
    for (const { name, label, secret, given: known, fallback } of questions) {
      const given = known ?? fallback;
      process.stderr.write(`${label}${given === undefined ? '' : ` [${secret ? 'as it is' : given}]`}: `);
      hidden = secret;
      const answer = await Promise.race([terminal.question('', { signal }).catch(() => null), closed]);
      if (hidden) process.stderr.write('\n');
      hidden = false;
      if (answer === null) throw new UsageError('LOGIN_GIVEN_UP', 'Nothing was changed.');
      answers.set(name, answer.trim() || (given ?? ''));
    }
    return answers;
  } finally {
    terminal.close();
  }
}
