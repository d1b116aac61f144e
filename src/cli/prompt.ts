import { text as readAll } from 'node:stream/consumers';
import { InterruptedError, UsageError } from '../lib/errors.js';

/** A question to a person. */
export interface Question {
  /** Name of the variable that answers it, too. */
  readonly name: string;
  readonly label: string;
  /** Not shown while it is typed. */
  readonly secret: boolean;
  /** The answer as given already; an empty line keeps it. */
  readonly given: string | undefined;
  /** Used when there is no answer at all. */
  readonly fallback?: string;
  /** What is wrong with an answer, as a sentence; null for a good one. */
  readonly check?: (answer: string) => string | null;
}

/** Whether there is a person to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * Answers to all questions: asked on a terminal, else read from stdin, one line each, in their order: for all questions, or
 * for those without a given answer. Throws `UsageError` when lines are missing, `InterruptedError` when the person gives up.
 */
export async function askAll(
  questions: readonly Question[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const answers = canAsk() ? await askEach(questions, signal) : answersIn(await stdinText(questions), questions);
  const missing = questions.filter(({ name }) => (answers.get(name) ?? '') === '').map(({ name }) => name);
  if (missing.length === 0) return answers;
  throw new UsageError(
    'ANSWERS_MISSING',
    `These are needed and were not given: ${missing.join(', ')}; type them on a terminal, set them in the environment, or send them on stdin, one a line.`,
  );
}

/**
 * Asks a question that only a yes answers with true; an empty line and Ctrl-D are a no. Throws `InterruptedError` on Ctrl-C,
 * with `unchanged` as its message.
 */
export async function confirmed(question: string, signal: AbortSignal, unchanged: string): Promise<boolean> {
  const { default: confirm } = await import('@inquirer/confirm');
  const theme = { style: { defaultAnswer: (hint: string) => `[${hint}]` } };
  return answerTo(
    (context) => confirm({ message: question, default: false, theme }, context),
    () => false,
    { signal, unchanged },
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
  const answers = new Map<string, string>();
  for (const question of questions) {
    const answer = await ask(question, signal);
    answers.set(question.name, answer.trim() || (question.given ?? question.fallback ?? ''));
  }
  return answers;
}

const LOGIN_UNCHANGED = 'Nothing was changed.';

/** One question; it and its answer stay on the screen. */
async function ask({ label, secret, given, fallback, check }: Question, signal: AbortSignal): Promise<string> {
  const known = given ?? fallback;
  const validate = (typed: string): string | true => {
    const answer = typed.trim() || known;
    return answer === undefined ? 'An answer is needed.' : (check?.(answer) ?? true);
  };
  const [{ default: input }, { default: password }] = await Promise.all([
    import('@inquirer/input'),
    import('@inquirer/password'),
  ]);
  const hint = secret && known !== undefined ? ' (Enter keeps the present one)' : '';
  const message = `${label}${hint}:`;
  const shown = known === undefined ? {} : { default: known };
  return answerTo(
    (context) =>
      secret
        ? password({ message, mask: '*', toggleMask: false, validate }, context)
        : input({ message, validate, ...shown }, context),
    () => {
      throw new InterruptedError(LOGIN_UNCHANGED);
    },
    { signal, unchanged: LOGIN_UNCHANGED },
  );
}

interface PromptContext {
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
}

/** Asks on stderr. The prompt library never settles when its input ends, so Ctrl-D is watched for here. */
async function answerTo<T>(
  prompt: (context: PromptContext) => Promise<T>,
  onEnd: () => T,
  { signal, unchanged }: { readonly signal: AbortSignal; readonly unchanged: string },
): Promise<T> {
  const ended = new AbortController();
  const end = () => ended.abort();
  const onKey = (_text: string | undefined, key: { readonly ctrl?: boolean; readonly name?: string } | undefined) => {
    if (key?.ctrl && key.name === 'd') end();
  };
  process.stdin.on('keypress', onKey).once('end', end);
  try {
    return await prompt({ output: process.stderr, signal: AbortSignal.any([signal, ended.signal]) });
  } catch (error) {
    if (ended.signal.aborted) return onEnd();
    const isGivenUp = error instanceof Error && ['ExitPromptError', 'AbortPromptError'].includes(error.name);
    throw isGivenUp ? new InterruptedError(unchanged, { cause: error }) : error;
  } finally {
    process.stdin.off('keypress', onKey).off('end', end);
  }
}
