import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import xterm from '@xterm/headless';
import { BINARY, cleanEnvironment } from './cli.js';
import { waitFor } from './wait.js';

export interface TerminalOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default `xterm-256color`. */
  readonly term?: string;
  /** Default 110. */
  readonly columns?: number;
  /** Default 40. */
  readonly rows?: number;
}

/** The program on a terminal of its own. */
export interface OnTerminal {
  /** Types `text`; `\x03` is Ctrl-C. */
  type(text: string): void;
  /** Every line on the screen and above it, as a person sees them now. */
  screen(): Promise<readonly string[]>;
  /** Lines that went over the right edge. */
  wrapped(): Promise<readonly string[]>;
  /** All that was written, with its control sequences. */
  raw(): string;
  /** Waits until the screen shows `what`. */
  shows(what: string | RegExp): Promise<void>;
  /** Sends the program a signal, as `kill` does. */
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<{ readonly code: number | null }>;
  /** Ends the program if it still runs. */
  close(): Promise<void>;
}

/**
 * Starts `zia-enrich <words>` in a pseudo-terminal, made by `script` (util-linux, part of every Debian), and shows what it
 * writes on a terminal emulator.
 */
export async function startOnTerminal(words: readonly string[], options: TerminalOptions): Promise<OnTerminal> {
  const { columns = 110, rows = 40, term = 'xterm-256color' } = options;
  const folder = await mkdtemp(join(tmpdir(), 'zia-pty-'));
  const pidFile = join(folder, 'pid');
  const command = [process.execPath, BINARY, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const child = spawn(
    'script',
    ['-qec', `stty rows ${rows} cols ${columns}; echo $$ > '${pidFile}'; exec ${command}`, '/dev/null'],
    { cwd: options.cwd, env: { ...cleanEnvironment(), ...options.env, TERM: term, SHELL: '/bin/sh' } },
  );
  const emulator = new xterm.Terminal({ cols: columns, rows, scrollback: 5_000, allowProposedApi: true });
  let raw = '';
  let drawn: Promise<void> = Promise.resolve();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    raw += text;
    drawn = new Promise((resolve) => emulator.write(text, resolve));
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null }));

  async function wrapped(): Promise<readonly string[]> {
    await drawn;
    const buffer = emulator.buffer.active;
    return Array.from({ length: buffer.length }, (_, at) => buffer.getLine(at)).flatMap((line) =>
      line?.isWrapped ? [line.translateToString(true)] : [],
    );
  }

  /** A line that went over the edge is one line. */
  async function screen(): Promise<readonly string[]> {
    await drawn;
    const buffer = emulator.buffer.active;
    const joined: string[] = [];
    for (let at = 0; at < buffer.length; at += 1) {
      const line = buffer.getLine(at);
      const text = line?.translateToString(!buffer.getLine(at + 1)?.isWrapped) ?? '';
      if (line?.isWrapped) joined.push(`${joined.pop() ?? ''}${text}`);
      else joined.push(text);
    }
    return joined.slice(0, joined.findLastIndex((text) => text !== '') + 1);
  }

  return {
    type: (text) => void child.stdin.write(text),
    screen,
    wrapped,
    raw: () => raw,
    shows: async (what) => {
      const matches = (text: string) => (typeof what === 'string' ? text.includes(what) : what.test(text));
      await waitFor(async () => matches((await screen()).join('\n')), { what: `${what} on the screen` }).catch(
        async (error: Error) => {
          throw new Error(`${error.message} It shows:\n${(await screen()).join('\n')}`);
        },
      );
    },
    kill: (signal) => void process.kill(Number(readFileSync(pidFile, 'utf8')), signal),
    ended,
    close: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        killIfAlive(pidFile);
        child.kill('SIGKILL');
      }
      await ended;
      emulator.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function killIfAlive(pidFile: string): void {
  try {
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
  } catch {
    // It has ended, or had not yet begun.
  }
}
