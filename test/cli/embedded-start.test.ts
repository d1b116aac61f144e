import { expect, test } from '@jest/globals';
import { BINARY, node } from '../support/cli.js';
import { withScratch } from '../support/scratch.js';

/** V8 says of each function of the database by which of its compilers it was compiled. */
const TRACE = '--trace-wasm-compilation-times';

test('no short command waits for V8 to optimize the embedded database', () =>
  withScratch(async (cwd) => {
    const { code, stdout } = await node([TRACE, BINARY, 'status'], { cwd });
    expect(code).toBe(0);
    const compilers = new Set([...stdout.matchAll(/^Compiled function .* using (\w+)/gm)].map(([, name]) => name));
    expect([...compilers]).toEqual(['Liftoff']);
  }));
