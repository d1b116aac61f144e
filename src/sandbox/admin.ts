import { bareError, ok, type SandboxAnswer } from './answers.js';
import { summarise } from './effects.js';
import { parseOptionsPatch } from './options-patch.js';
import type { Sandbox } from './sandbox.js';

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
  const parsed = parseOptionsPatch(parseJson(body));
  if (parsed.kind === 'refused') {
    return bareError(400, 'INVALID', { problems: parsed.problems }, 'send a JSON object of options');
  }
  sandbox.configure(parsed.patch);
  return ok(sandbox.options);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
