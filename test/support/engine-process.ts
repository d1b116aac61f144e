import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineSettings } from '../../src/lib/engine/open-engine.js';
import type { Store } from '../../src/lib/store/store.js';

/** Methods of the store that can be called from outside its process. */
type StoreMethod = Exclude<keyof Store, 'control' | 'document'>;

/** An engine in a process of its own, running the compiled program. */
export interface EngineProcess {
  readonly pid: number;
  open(settings: EngineSettings): Promise<void>;
  store<M extends StoreMethod>(method: M, ...args: Parameters<Store[M]>): ReturnType<Store[M]>;
  add(jobs: readonly { name: string; data: object; opts: object }[]): Promise<void>;
  counts(): Promise<unknown>;
  /** Names of the events its log saw. */
  events(): Promise<readonly string[]>;
  close(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Ends the process, frozen or not; resolves when it is gone. */
  kill(): Promise<void>;
}

/** What `scripts/test.mjs` says to Node about WebAssembly holds for other processes, too. */
const WASM_FLAGS = process.execArgv.filter((flag) => flag.startsWith('--wasm'));

/** `wrapper`: a command that runs the process, such as `unshare` with its flags. */
export async function startEngineProcess(wrapper: readonly string[] = []): Promise<EngineProcess> {
  const [execPath = process.execPath, ...execArgv] = [...wrapper, process.execPath, ...WASM_FLAGS];
  const child: ChildProcess = fork(fileURLToPath(new URL('./engine-child.mjs', import.meta.url)), {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execPath,
    execArgv,
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      for (const { reject } of waiting.values()) reject(new Error('The process ended.'));
      resolve();
    });
  });
  const answer = (id: number) => new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }));
  child.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: string }) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  });

  function call(command: string, ...args: unknown[]): Promise<unknown> {
    calls += 1;
    const answered = answer(calls);
    child.send({ id: calls, command, args });
    return answered;
  }

  await answer(0);
  return {
    // It answered, so it runs.
    pid: child.pid as number,
    open: async (settings) => {
      await call('open', settings);
    },
    // The other side calls exactly this method with these arguments.
    store: ((method: string, ...args: unknown[]) => call('store', method, ...args)) as EngineProcess['store'],
    add: async (jobs) => {
      await call('add', jobs);
    },
    counts: () => call('counts'),
    events: async () => (await call('events')) as readonly string[],
    close: async () => {
      await call('close');
    },
    signal: (signal) => {
      child.kill(signal);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
