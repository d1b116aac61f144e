import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { processesOf } from '../support/run/leftovers.mjs';
import { withScratch } from '../support/scratch.js';
import { waitFor } from '../support/wait.js';

test.each(['SIGTERM', 'SIGINT'] as const)('a run of tests that %s ends takes with it all that it started', (signal) =>
  withScratch(async (folder) => {
    const env = { ...process.env, TMPDIR: folder };
    const run = spawn(process.execPath, ['scripts/test.mjs', 'test/integration'], { stdio: 'ignore', env });
    const commands = () => processesOf(folder).map(({ command }) => command);
    await waitFor(() => commands().some((command) => command.includes('jest-worker')), { what: 'the first tests' });
    const exited = once(run, 'exit');
    run.kill(signal);
    expect(await exited).toEqual([1, null]);
    await waitFor(() => commands().length === 0, { what: 'what it started to be gone', timeoutMs: 10_000 });
    expect(readdirSync(folder).filter((name) => name.startsWith('zia-run-'))).toEqual([]);
  }),
);
