import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../../src/lib/engine/engine.js';
import type { EnrichQueue } from '../../src/lib/queues.js';
import type { SandboxEvent } from '../../src/sandbox/effects.js';
import type { Sandbox, StartOptions } from '../../src/sandbox/server.js';
import { type RunningCli, startCli } from './cli.js';
import { openTestEngine, testRedisUrl } from './engines.js';
import { openSandbox } from './sandbox.js';
import type { TestScope } from './setup.js';
import { waitFor } from './wait.js';

type Environment = Readonly<Record<string, string>>;

/** One worker process of the built program. */
export interface WorkerProcess {
  freeze(): void;
  thaw(): void;
  /** Ends it at once. */
  kill(): Promise<void>;
  /** Ends it as a service manager does. */
  end(): Promise<void>;
  /** The events of its log that have this name. */
  logged(event: string): readonly Readonly<Record<string, unknown>>[];
  readonly running: RunningCli;
}

/** A store on Redis and a sandbox, shared by worker processes; all of it goes with the test. */
export interface ProcessFleet {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly sandbox: Sandbox;
  /** Resolves when it is a member of the fleet. */
  start(env?: Environment): Promise<WorkerProcess>;
  posts(): readonly SandboxEvent[];
}

export async function openProcessFleet(
  t: TestScope,
  options: StartOptions = {},
  /** Variables of every worker, once the sandbox is there. */
  common: (sandbox: Sandbox) => Environment | Promise<Environment> = () => ({}),
): Promise<ProcessFleet> {
  const { engine, settings } = t.closing(await openTestEngine('redis'), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const sandbox = await openSandbox(t, options);
  const shared = await common(sandbox);
  return {
    engine,
    queue,
    sandbox,
    posts: () => sandbox.log().filter(({ kind }) => kind === 'post'),
    start: async (env) => {
      // A folder remembers its store by address, and processes may reach the same one on different ways.
      const cwd = await mkdtemp(join(tmpdir(), 'zia-fleet-'));
      const running = startCli(['worker'], {
        cwd,
        env: {
          REDIS_URL: testRedisUrl(),
          ZIA_PREFIX: settings.prefix,
          ZIA_QUEUE: settings.queueName,
          ZOHO_CLIENT_ID: 'sandbox',
          ZOHO_CLIENT_SECRET: 'sandbox',
          ZOHO_REFRESH_TOKEN: 'sandbox',
          ZOHO_ACCOUNTS_URL: sandbox.url,
          ZOHO_API_DOMAIN: sandbox.url,
          LOG_LEVEL: 'debug',
          ...shared,
          ...env,
        },
      });
      const worker = workerProcess(running);
      t.closing(worker, async () => {
        await worker.kill();
        await rm(cwd, { recursive: true, force: true });
      });
      await waitFor(
        () => {
          if (running.child.exitCode !== null) throw new Error(`The worker ended: ${running.stderr()}`);
          return worker.logged('worker.started').length > 0;
        },
        { what: 'the worker to start' },
      );
      return worker;
    },
  };
}

function workerProcess(running: RunningCli): WorkerProcess {
  const { child } = running;
  const gone = async () => {
    await running.ended;
  };
  return {
    running,
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    kill: () => {
      child.kill('SIGKILL');
      return gone();
    },
    end: () => {
      child.kill('SIGTERM');
      return gone();
    },
    logged: (event) =>
      running
        .stderr()
        .split('\n')
        .map(parsed)
        .filter((line) => line.event === event),
  };
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>; // a log line, or nothing of interest
  } catch {
    return {};
  }
}
