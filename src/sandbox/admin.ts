import { bareError, ok, type SandboxAnswer } from './answers.js';
import { summarise } from './effects.js';
import { DEFAULT_OPTIONS, type SandboxOptions } from './options.js';
import type { Sandbox } from './server.js';

const ROOT = '/__sandbox/';

/** The stand-in's own controls. Zoho has nothing like them. */
export function isAdmin(target: URL): boolean {
  return target.pathname.startsWith(ROOT);
}

type Controls = Pick<Sandbox, 'options' | 'configure' | 'log' | 'enrichments' | 'reset'>;

/**
 * `GET log?after=N`, `GET enrichments`, `GET summary`, `GET options`, `PATCH options` with a JSON object of options,
 * `POST reset`.
 */
export function answerAdmin(method: string, target: URL, body: string, sandbox: Controls): SandboxAnswer {
  switch (`${method} ${target.pathname.slice(ROOT.length)}`) {
    case 'GET log':
      return ok(sandbox.log().slice(Number(target.searchParams.get('after') ?? 0)));
    case 'GET enrichments':
      return ok(sandbox.enrichments());
    case 'GET summary':
      return ok(summarise(sandbox.log()));
    case 'GET options':
      return ok(sandbox.options);
    case 'PATCH options':
      return patch(body, sandbox);
    case 'POST reset':
      sandbox.reset();
      return ok({});
    default:
      return bareError(404, 'UNKNOWN', {}, 'no such control of the stand-in');
  }
}

function patch(body: string, sandbox: Controls): SandboxAnswer {
  const given = parseObject(body);
  if (given === undefined) return bareError(400, 'INVALID', {}, 'send a JSON object of options');
  const unknown = Object.keys(given).filter((name) => !(name in DEFAULT_OPTIONS));
  if (unknown.length > 0) return bareError(400, 'INVALID', { unknown }, 'no such options');
  sandbox.configure(given as Partial<SandboxOptions>); // names were checked; values are the tester's own
  return ok(sandbox.options);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
