import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

/** The compiled binary: `npm test` builds it first. */
export const BINARY = resolve('dist/cli/main.js');

export interface CliOptions {
  readonly cwd: string;
  /** On top of a clean environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<CliResult>;
}

/** Runs `zia-enrich <words>` in a folder, to its end. */
export function cli(words: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(words, options).ended;
}

/** Starts `zia-enrich <words>`; the caller waits for `ended`, or kills `child`. */
export function startCli(words: readonly string[], options: CliOptions): RunningCli {
  return start(process.execPath, [BINARY, ...words], options);
}

/** Runs `node <words>` in a folder, to its end: for what Node itself is asked. */
export function node(words: readonly string[], options: CliOptions): Promise<CliResult> {
  return start(process.execPath, words, options).ended;
}

/** Runs `npm <words>` in a folder, to its end. */
export function npm(words: readonly string[], options: CliOptions): Promise<CliResult> {
  return start('npm', words, options).ended;
}

function start(file: string, args: readonly string[], { cwd, env, stdin }: CliOptions): RunningCli {
  const child = spawn(file, args, { cwd, env: { ...cleanEnvironment(), ...env }, stdio: 'pipe' });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  child.stdin.end(stdin ?? '');
  const ended = once(child, 'close').then(([code]) => {
    // A warning of Node's own is a fault of the program: no user can do anything about it.
    const warning = /\(node:\d+\) .*Warning: .*/.exec(output.stderr)?.[0];
    if (warning !== undefined) throw new Error(`${file} ${args.join(' ')} printed a warning of Node: ${warning}`);
    return { code: code as number | null, ...output }; // the event's first argument
  });
  return { child, stdout: () => output.stdout, stderr: () => output.stderr, ended };
}

/** Nothing of the test run's own settings, of the npm that started it, or of a CI, where Node shows no colours. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(CI$|npm_|INIT_CWD|ZIA_|ZOHO_|REDIS_URL|LOG_LEVEL|NODE_OPTIONS|FORCE_COLOR|NO_COLOR|TEST_)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}
