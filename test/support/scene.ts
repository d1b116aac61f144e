import { INITIAL_CONTROL, resumed } from '../../src/lib/core/control.js';
import type { Engine } from '../../src/lib/engine/engine.js';
import type { EnrichQueue } from '../../src/lib/queues.js';
import type { SandboxEvent } from '../../src/sandbox/effects.js';
import type { Fault } from '../../src/sandbox/options.js';
import type { Sandbox, StartOptions } from '../../src/sandbox/server.js';
import { type EngineKind, openTestEngine } from './engines.js';
import { startWorker, type TestWorker, type TestWorkerOptions } from './fleet.js';
import { openSandbox } from './sandbox.js';
import type { TestScope } from './setup.js';

/** An engine, a queue and a sandbox, and workers between them that end with the test. */
export interface WorkScene {
  readonly engine: Engine;
  readonly queue: EnrichQueue;
  readonly sandbox: Sandbox;
  /** A worker that runs on until the test ends. */
  work(options?: Partial<TestWorkerOptions>): TestWorker;
  /** Works until nothing is left or the fleet is stopped. */
  workOff(options?: Partial<TestWorkerOptions>): TestWorker['ended'];
  resume(): Promise<void>;
  posts(): readonly SandboxEvent[];
}

export async function openWorkScene(
  t: TestScope,
  kind: EngineKind = 'redis',
  options: StartOptions = {},
): Promise<WorkScene> {
  const { engine } = t.closing(await openTestEngine(kind), (opened) => opened.close());
  const queue = t.closing(engine.openQueue(), (opened) => opened.close());
  const sandbox = await openSandbox(t, options);
  return {
    engine,
    queue,
    sandbox,
    work: (more) =>
      t.closing(startWorker({ engine, sandbox, untilIdle: false, ...more }), async (worker) => {
        worker.end();
        await worker.ended;
      }),
    workOff: (more) => startWorker({ engine, sandbox, ...more }).ended,
    resume: async () => {
      await engine.store.control.change((control) => resumed(control ?? INITIAL_CONTROL));
    },
    posts: () => sandbox.log().filter(({ kind: event }) => event === 'post'),
  };
}

/** Every submission (or `times` of them) is answered so, and nothing is accepted. */
export function answering(status: number, body: unknown, more: Partial<Fault> = {}): Fault {
  return { kind: 'status', on: 'post', share: 1, status, body, ...more };
}

/** One of Zoho's refusals: bare, or in the array of the resource. */
export function refusal(code: string, details: object = {}, envelope: 'bare' | 'listed' = 'bare'): unknown {
  const element = { code, details, message: 'in words', status: 'error' };
  return envelope === 'bare' ? element : { __zia_org_enrichment: [element] };
}

/** How Zoho says what a refusal is about. */
export function about(field: string): object {
  return { api_name: field, json_path: `$.__zia_org_enrichment[0].enrich_based_on.${field}` };
}
