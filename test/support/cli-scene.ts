import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type Sandbox, type StartOptions, startSandbox } from '../../src/sandbox/server.js';
import { type CliResult, cli, type RunningCli, startCli } from './cli.js';
import { testRedisUrl } from './engines.js';
import { type OnTerminal, startOnTerminal, type TerminalOptions } from './pty.js';
import { withScratch } from './scratch.js';

/** A folder, a sandbox, and commands that use both in a store of their own. */
export interface Scene {
  readonly folder: string;
  readonly sandbox: Sandbox;
  readonly env: Readonly<Record<string, string>>;
  run(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>;
  start(words: readonly string[], env?: Readonly<Record<string, string>>): RunningCli;
  /** Starts a command on a terminal of its own. */
  onTerminal(words: readonly string[], options?: Partial<TerminalOptions>): Promise<OnTerminal>;
  /** Writes a file of so many good rows, all different, and returns its name. */
  csv(name: string, rows: number): Promise<string>;
}

/** Runs `work` in a scene; commands that still run at the end are killed, and the store is removed. */
export function withScene(
  kind: 'redis' | 'embedded',
  options: StartOptions,
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  return withScratch(async (folder) => {
    const sandbox = await startSandbox(options);
    const prefix = `test-${randomBytes(6).toString('hex')}`;
    const running: RunningCli[] = [];
    const terminals: OnTerminal[] = [];
    const env = {
      ZOHO_CLIENT_ID: 'sandbox',
      ZOHO_CLIENT_SECRET: 'sandbox',
      ZOHO_REFRESH_TOKEN: 'sandbox',
      ZOHO_ACCOUNTS_URL: sandbox.url,
      ZOHO_API_DOMAIN: sandbox.url,
      ZIA_RATE_LIMIT_PER_SECOND: '200',
      ZIA_RESULT_POLL_MS: '200',
      ZIA_PREFIX: prefix,
      ...(kind === 'redis' && { REDIS_URL: testRedisUrl() }),
    };
    const start: Scene['start'] = (words, more) => {
      const started = startCli(words, { cwd: folder, env: { ...env, ...more } });
      running.push(started);
      return started;
    };
    try {
      await work({
        folder,
        sandbox,
        env,
        start,
        onTerminal: async (words, more) => {
          const terminal = await startOnTerminal(words, { cwd: folder, ...more, env: { ...env, ...more?.env } });
          terminals.push(terminal);
          return terminal;
        },
        run: (words, more) => cli(words, { cwd: folder, env: { ...env, ...more } }),
        csv: async (name, rows) => {
          const lines = Array.from({ length: rows }, (_, at) => `Company ${name} ${at},info@c${at}.example`);
          await writeFile(join(folder, name), `Company,Email\n${lines.join('\n')}\n`);
          return name;
        },
      });
    } finally {
      for (const { child } of running) child.kill('SIGKILL');
      await Promise.all(running.map(({ ended }) => ended));
      await Promise.all(terminals.map((terminal) => terminal.close()));
      await sandbox.close();
      if (kind === 'redis') await removeStore(prefix);
    }
  });
}

async function removeStore(prefix: string): Promise<void> {
  const redis = new Redis(testRedisUrl());
  try {
    const keys = await redis.keys(`{${prefix}}:*`);
    if (keys.length > 0) await redis.unlink(...keys);
  } finally {
    redis.disconnect();
  }
}
