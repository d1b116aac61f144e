import { type Sandbox, type StartOptions, startSandbox } from '../../src/sandbox/server.js';
import type { TestScope } from './setup.js';

/** Zoho's stand-in on a free port, closed with the test. */
export async function openSandbox(t: TestScope, options: StartOptions = {}): Promise<Sandbox> {
  return t.closing(await startSandbox(options), (sandbox) => sandbox.close());
}
