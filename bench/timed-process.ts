import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Timed {
  /** From spawn to the end of the process. */
  readonly seconds: number;
  /** User and system time of the process itself. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly stdout: string;
}

interface ProcessOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Exit codes that are no failure; default 0 alone. */
  readonly accepted?: readonly number[];
}

/**
 * Loaded into a measured process: it writes down what it used when it ends. The peak is that of the process image alone,
 * which `resourceUsage` on Linux is not: there it starts with that of the parent.
 */
const USAGE_HOOK = `data:text/javascript,${encodeURIComponent(`
import { readFileSync, writeFileSync } from 'node:fs';
process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  let peak = process.resourceUsage().maxRSS;
  try { peak = Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]); } catch {}
  writeFileSync(process.env.BENCH_USAGE, JSON.stringify({ cpuSeconds: (user + system) / 1e6, peakBytes: peak * 1024 }));
});`)}`;

/** Runs `node <args>` to its end and says what it took. Rejects with what it wrote to stderr when it fails. */
export async function timeNode(args: readonly string[], options: ProcessOptions): Promise<Timed> {
  const usageFile = join(options.cwd, '.usage.json');
  const env = { ...options.env, BENCH_USAGE: usageFile };
  const run = await timePlainNode(['--import', USAGE_HOOK, ...args], { ...options, env });
  // Written by the hook above.
  const usage = JSON.parse(await readFile(usageFile, 'utf8')) as Pick<Timed, 'cpuSeconds' | 'peakBytes'>;
  return { ...run, ...usage };
}

/** The same without the hook, where its few milliseconds would count. */
export async function timePlainNode(
  args: readonly string[],
  { cwd, env, accepted = [0] }: ProcessOptions,
): Promise<Pick<Timed, 'seconds' | 'stdout'>> {
  const start = performance.now();
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  let endedAt = 0;
  child.once('exit', () => {
    endedAt = performance.now();
  });
  const [code] = await once(child, 'close');
  if (!accepted.includes(code as number)) throw new Error(`node ${args.at(-1)} ended with code ${code}: ${stderr}`);
  return { seconds: (endedAt - start) / 1_000, stdout };
}
