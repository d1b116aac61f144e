import { rm } from 'node:fs/promises';
import { type RunningCli, startCli } from '../support/cli.js';

/** One process of the fleet that can be killed, frozen and started again. */
export interface Member {
  readonly name: string;
  isRunning(): boolean;
  isFrozen(): boolean;
  start(): void;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Resolves when its process has ended by itself, or at once when none runs. */
  finished(): Promise<void>;
  /** Asks it to end, and waits. */
  end(): Promise<void>;
  /** What all processes of this member wrote to stderr. */
  stderr(): string;
  readonly exitCodes: readonly (number | null)[];
}

export function createMember(
  name: string,
  words: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Member {
  let running: RunningCli | undefined;
  const lives: RunningCli[] = [];
  let frozen = false;
  const exitCodes: (number | null)[] = [];

  async function gone(): Promise<void> {
    await running?.ended;
  }

  return {
    name,
    isRunning: () => running !== undefined,
    isFrozen: () => frozen,
    start: () => {
      if (running) return;
      const started = startCli(words, options);
      running = started;
      lives.push(started);
      frozen = false;
      void started.ended.then(({ code }) => {
        exitCodes.push(code);
        if (running === started) running = undefined;
      });
    },
    kill: async () => {
      running?.child.kill('SIGKILL');
      await gone();
    },
    freeze: () => {
      if (running?.child.kill('SIGSTOP')) frozen = true;
    },
    thaw: () => {
      running?.child.kill('SIGCONT');
      frozen = false;
    },
    finished: gone,
    end: async () => {
      running?.child.kill('SIGCONT');
      running?.child.kill('SIGTERM');
      await gone();
    },
    stderr: () => lives.map((life) => life.stderr()).join('--- next life ---\n'),
    exitCodes,
  };
}

/** Removes a scratch folder; a process that died a moment ago may still be letting go of a file in it. */
export function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
