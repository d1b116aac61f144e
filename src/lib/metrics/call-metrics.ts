import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Answer } from '../core/answer.js';
import { classifySubmission } from '../core/classify.js';
import type { Store } from '../store/store.js';
import type { ZohoClient } from '../zoho/client.js';

/**
 * What one process counts about its own calls. It looks on from outside: the client and the store it hands out do exactly
 * what the given ones do.
 */
export interface CallMetrics {
  readonly registry: Registry;
  /** The same client, its calls counted. */
  zoho(client: ZohoClient): ZohoClient;
  /** The same store, with the time between asking for a call and being let through measured. */
  store(store: Store): Store;
}

type CallKind = 'submit' | 'list' | 'get';

const CALL_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const WAIT_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Zoho's codes become label values: nothing else does, so that no answer can make a label of a text. */
const CODE = /^\w{1,40}$/;

export function createCallMetrics(): CallMetrics {
  const registry = new Registry();
  const { submissions, throttles, durations, inFlight, limiterWait } = createSeries([registry]);

  async function measured(call: CallKind, answering: Promise<Answer>): Promise<Answer> {
    inFlight.inc();
    const done = durations.startTimer({ call });
    try {
      const answer = await answering;
      if (classifySubmission(answer).kind === 'throttled') throttles.inc({ call });
      return answer;
    } finally {
      done();
      inFlight.dec();
    }
  }

  function countSubmission(answer: Answer): void {
    const verdict = classifySubmission(answer);
    const code = 'code' in verdict ? verdict.code : 'SCHEDULED';
    submissions.inc({ outcome: verdict.kind, code: CODE.test(code) ? code : 'OTHER' });
  }

  /** Asks again and again belong to one wait; the first question starts it. */
  const askedSince = new Map<string, number>();

  async function waited<A extends { readonly kind: string }>(callId: string, asking: () => Promise<A>): Promise<A> {
    const since = askedSince.get(callId) ?? performance.now();
    askedSince.set(callId, since);
    let goesOn = false;
    try {
      const admission = await asking();
      if (admission.kind === 'go') limiterWait.observe((performance.now() - since) / 1_000);
      goesOn = ASKED_AGAIN.has(admission.kind);
      return admission;
    } finally {
      if (!goesOn) askedSince.delete(callId);
    }
  }

  return {
    registry,
    zoho: (client) => ({
      createEnrichment: async (...args) => {
        const answer = await measured('submit', client.createEnrichment(...args));
        countSubmission(answer);
        return answer;
      },
      listEnrichments: (...args) => measured('list', client.listEnrichments(...args)),
      getEnrichment: (...args) => measured('get', client.getEnrichment(...args)),
    }),
    store: (store) => ({
      ...store,
      admit: (request) => waited(request.callId, () => store.admit(request)),
      admitCall: (request) => waited(request.callId, () => store.admitCall(request)),
    }),
  };
}

/** A worker that is told one of these waits for slot or permit, and asks again for the same call. */
const ASKED_AGAIN: ReadonlySet<string> = new Set(['not-yet', 'no-permit']);

function createSeries(registers: Registry[]) {
  const submissions = new Counter({
    name: 'zia_submissions_total',
    help: 'Submissions to Zoho by what the answer meant, and its code.',
    labelNames: ['outcome', 'code'],
    registers,
  });
  const throttles = new Counter({
    name: 'zia_throttles_total',
    help: 'Answers of Zoho that said: too many requests.',
    labelNames: ['call'],
    registers,
  });
  const durations = new Histogram({
    name: 'zia_call_duration_seconds',
    help: 'Time from the start of a call to Zoho to the end of its answer.',
    labelNames: ['call'],
    buckets: CALL_SECONDS,
    registers,
  });
  const inFlight = new Gauge({
    name: 'zia_calls_in_flight',
    help: 'Calls to Zoho that this process waits for.',
    registers,
  });
  const limiterWait = new Histogram({
    name: 'zia_limiter_wait_seconds',
    help: 'Time a call waited for its slot in the pace and for a permit.',
    buckets: WAIT_SECONDS,
    registers,
  });
  // Series that may be asked for before anything happened.
  inFlight.set(0);
  for (const call of ['submit', 'list', 'get'] satisfies CallKind[]) throttles.inc({ call }, 0);
  return { submissions, throttles, durations, inFlight, limiterWait };
}
