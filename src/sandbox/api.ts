import type { IncomingMessage } from 'node:http';
import {
  AUTHENTICATION_FAILURE,
  bareError,
  INVALID_REQUEST_METHOD,
  INVALID_TOKEN,
  INVALID_URL_PATTERN,
  NO_PERMISSION,
  RESOURCE,
  type SandboxAnswer,
  SCOPE_MISMATCH,
  scheduled,
  TOO_MANY_REQUESTS,
} from './answers.js';
import type { SandboxEvent } from './effects.js';
import type { EnrichmentBook } from './enrichments.js';
import type { FaultChooser, FaultCourse } from './faults.js';
import type { Fault, SandboxOptions } from './options.js';
import { answerOrg, isOrgPath, scopeOf } from './org.js';
import type { RecordBook } from './records.js';
import type { TokenDesk } from './tokens.js';

/** The API server: who may call, how often, and what comes of it. */
export interface Api {
  kindOf(method: string, target: URL): Exclude<SandboxEvent['kind'], 'token'>;
  faultOf(on: Fault['on'], name: string | undefined, options: SandboxOptions): FaultCourse | undefined;
  /** Decides at arrival; effects happen here, answers leave later. */
  answer(call: ApiCall): { readonly answer: SandboxAnswer; readonly course: FaultCourse | undefined };
}

export interface ApiCall {
  readonly request: IncomingMessage;
  readonly target: URL;
  readonly body: string;
  readonly event: SandboxEvent;
  readonly log: readonly SandboxEvent[];
  readonly options: SandboxOptions;
}

const VERSIONED = /^\/crm\/v(\d+(?:\.\d+)?)\/(.+)$/;
const FIRST_VERSION = 7;
const LAST_VERSION = 8;
const NOT_SUPPORTED = bareError(
  400,
  'API_NOT_SUPPORTED',
  { supported_version: FIRST_VERSION },
  'API not supported in the version',
);
const INTELLIGENCE = 'ZohoCRM.settings.intelligence';

export function createApi({
  tokens,
  book,
  records,
  faults,
}: {
  readonly tokens: TokenDesk;
  readonly book: EnrichmentBook;
  readonly records: RecordBook;
  readonly faults: FaultChooser;
}): Api {
  return {
    kindOf: (method, target) => {
      const path = pathOf(target);
      if (path === RESOURCE) return method === 'POST' ? 'post' : 'list';
      if (path === 'coql') return 'coql';
      return path?.startsWith(`${RESOURCE}/`) ? 'get' : 'other';
    },
    faultOf: (on, name, options) => faults.choose(on, name, options),
    answer: (call) => {
      const refusal = gate(call);
      if (refusal !== undefined) return { answer: refusal, course: undefined };
      return call.event.kind === 'post' ? submit(call) : read(call);
    },
  };

  function gate({ request, target, event, log, options }: ApiCall): SandboxAnswer | undefined {
    const version = Number(VERSIONED.exec(target.pathname)?.[1] ?? Number.NaN);
    if (!(version <= LAST_VERSION)) return INVALID_URL_PATTERN;
    if (version < FIRST_VERSION) return NOT_SUPPORTED;
    if (options.concurrency !== null && event.inFlight > options.concurrency) return TOO_MANY_REQUESTS;
    if (options.credits !== null && options.credits <= 0) return TOO_MANY_REQUESTS;
    if (options.ratePerSecond !== null && callsInLastSecond(log, event.atMs) > options.ratePerSecond)
      return TOO_MANY_REQUESTS;
    const token = /^Zoho-oauthtoken (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) return AUTHENTICATION_FAILURE;
    if (!tokens.isValid(token) || options.wrongDataCenter === 'api') return INVALID_TOKEN;
    if (event.kind === 'other' && !isOrgPath(pathOf(target) ?? '')) return INVALID_URL_PATTERN;
    if (request.method !== (event.kind === 'post' || event.kind === 'coql' ? 'POST' : 'GET'))
      return INVALID_REQUEST_METHOD;
    if (!options.scopes.some((scope) => wantedScopes(event, target).includes(scope))) return SCOPE_MISMATCH;
    // The org's own answers say themselves what a missing permission hides.
    return options.permission || event.kind === 'other' ? undefined : NO_PERMISSION;
  }

  function submit({ target, body, event, options }: ApiCall): ReturnType<Api['answer']> {
    const judged = book.judge(target, body, options);
    event.sent = judged.sent;
    const course = faults.choose('post', event.sent?.name, options);
    if (judged.kind === 'refused') return { answer: judged.answer, course };
    // A fault that answers instead of accepting keeps the submission from having any effect.
    if (course !== undefined && !course.accepts) return { answer: INVALID_URL_PATTERN, course };
    if (course?.acceptsAfterMs !== undefined) {
      const accept = () => {
        event.enrichmentId = judged.accept().id;
      };
      setTimeout(accept, course.acceptsAfterMs).unref();
      return { answer: INVALID_URL_PATTERN, course };
    }
    const enrichment = judged.accept();
    event.enrichmentId = enrichment.id;
    return { answer: scheduled(enrichment.id), course };
  }

  function read({ target, body, event, options }: ApiCall): ReturnType<Api['answer']> {
    const path = pathOf(target) ?? '';
    if (event.kind === 'list')
      return { answer: book.list(target, options), course: faults.choose('list', undefined, options) };
    if (event.kind === 'coql') {
      return { answer: records.query(body, options), course: faults.choose('coql', undefined, options) };
    }
    if (event.kind === 'get') {
      return {
        answer: book.get(path.slice(RESOURCE.length + 1), options),
        course: faults.choose('get', undefined, options),
      };
    }
    return { answer: answerOrg(path, target, book.all().length, options) ?? INVALID_URL_PATTERN, course: undefined };
  }
}

function pathOf(target: URL): string | undefined {
  return VERSIONED.exec(target.pathname)?.[2];
}

function wantedScopes(event: SandboxEvent, target: URL): readonly string[] {
  if (event.kind === 'post') return [`${INTELLIGENCE}.CREATE`, `${INTELLIGENCE}.ALL`];
  if (event.kind === 'coql') return ['ZohoCRM.coql.READ'];
  if (event.kind === 'other') return scopeOf(pathOf(target) ?? '');
  return [`${INTELLIGENCE}.READ`, `${INTELLIGENCE}.ALL`];
}

/** Calls of the API that arrived in the second before `atMs`, the newest included. */
function callsInLastSecond(log: readonly SandboxEvent[], atMs: number): number {
  let calls = 0;
  for (let at = log.length - 1; at >= 0; at--) {
    const event = log[at];
    if (event === undefined || event.atMs <= atMs - 1_000) break;
    if (event.kind !== 'token') calls += 1;
  }
  return calls;
}
