import { bareError, INTERNAL_ERROR, type SandboxAnswer, TOO_MANY_REQUESTS } from './answers.js';
import type { Fault, SandboxOptions } from './options.js';

/** How a fault changes the course of one call. */
export interface FaultCourse {
  /** The submission is accepted, as far as it can be. */
  readonly accepts: boolean;
  /** What leaves instead of the usual answer. */
  readonly leaves: 'usual' | 'nothing' | 'cut' | SandboxAnswer;
  readonly extraMs: number;
  /** When it is accepted; absent: at its arrival. */
  readonly acceptsAfterMs?: number;
}

const garbage: SandboxAnswer = { status: 200, code: 'GARBAGE', body: '<html><body>One moment please</body></html>' };
const SLOW_MS = 2_000;

const COURSES: Readonly<Record<Exclude<Fault['kind'], 'status'>, FaultCourse>> = {
  'http-500': { accepts: false, leaves: INTERNAL_ERROR, extraMs: 0 },
  'http-502-html': {
    accepts: false,
    leaves: { status: 502, code: 'HTTP_502', body: '<html>Bad Gateway</html>' },
    extraMs: 0,
  },
  'http-408': { accepts: false, leaves: bareError(408, 'REQUEST_TIMEOUT', {}, 'request timeout'), extraMs: 0 },
  '429': { accepts: false, leaves: TOO_MANY_REQUESTS, extraMs: 0 },
  'cut-before': { accepts: false, leaves: 'cut', extraMs: 0 },
  'cut-after': { accepts: true, leaves: 'cut', extraMs: 0 },
  'never-answer-before': { accepts: false, leaves: 'nothing', extraMs: 0 },
  'never-answer-after': { accepts: true, leaves: 'nothing', extraMs: 0 },
  'garbage-2xx': { accepts: false, leaves: garbage, extraMs: 0 },
  'accepted-garbage': { accepts: true, leaves: garbage, extraMs: 0 },
  'accepted-500': { accepts: true, leaves: INTERNAL_ERROR, extraMs: 0 },
  slow: { accepts: true, leaves: 'usual', extraMs: SLOW_MS },
  'accepted-late': { accepts: true, leaves: 'nothing', extraMs: 0, acceptsAfterMs: SLOW_MS },
};

/** Chooses, by the seed, which calls a fault hits. */
export interface FaultChooser {
  choose(on: Fault['on'], name: string | undefined, options: SandboxOptions): FaultCourse | undefined;
}

export function createFaultChooser(random: () => number): FaultChooser {
  const hits = new WeakMap<Fault, number>();

  function isHit(fault: Fault, on: Fault['on'], name: string | undefined): boolean {
    if (fault.on !== on) return false;
    if (fault.match !== undefined && !name?.includes(fault.match)) return false;
    const soFar = hits.get(fault) ?? 0;
    if (fault.times !== undefined && soFar >= fault.times) return false;
    if (random() >= fault.share) return false;
    hits.set(fault, soFar + 1);
    return true;
  }

  return {
    choose: (on, name, { faults }) => {
      const fault = faults.find((one) => isHit(one, on, name));
      if (fault === undefined) return undefined;
      if (fault.kind === 'slow') return { ...COURSES.slow, extraMs: fault.delayMs ?? SLOW_MS };
      if (fault.kind === 'accepted-late') {
        return { ...COURSES['accepted-late'], acceptsAfterMs: fault.delayMs ?? SLOW_MS };
      }
      if (fault.kind !== 'status') return COURSES[fault.kind];
      const status = fault.status ?? 500;
      return {
        accepts: false,
        leaves: { status, code: codeIn(fault.body) ?? `HTTP_${status}`, body: fault.body },
        extraMs: 0,
      };
    },
  };
}

function codeIn(body: unknown): string | undefined {
  return typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string'
    ? body.code
    : undefined;
}
