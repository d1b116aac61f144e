import { dirname } from 'node:path';
import type { Environment } from './config.js';

/** True when npm runs a script of the package in `cwd`, and has moved there; npx moves nowhere. */
export function movedByNpm(env: Environment, cwd: string): boolean {
  const { npm_lifecycle_event: script, npm_package_json: manifest } = env;
  return script !== undefined && script !== 'npx' && manifest !== undefined && dirname(manifest) === cwd;
}

/** True when npm started this very process as one of this package's own scripts, such as `npm run status`. */
export function startedByNpm(env: Environment, cwd: string): boolean {
  return movedByNpm(env, cwd) && /\bdist\/cli\/main\.js\b/.test(env.npm_lifecycle_script ?? '');
}

/** A command of this program in a text. All texts of the program name commands as npm's scripts, flags after ` -- `. */
const NAMED = /^npm (?:run (?:-s )?(?=[a-z])|(start)\b)/;

/**
 * The text with its commands written as the user started this one: as they are under npm, else `zia-enrich resume` for
 * `npm run resume`, `npx zia-enrich resume` under npx.
 */
export function asStarted(text: string, env: Environment = process.env, cwd: string = process.cwd()): string {
  if (!text.includes('npm ') || startedByNpm(env, cwd)) return text;
  const program = env.npm_lifecycle_event === 'npx' ? 'npx zia-enrich' : 'zia-enrich';
  // The flags of a command end with its piece: the next one begins there.
  return text
    .split(/(?=npm (?:run|start)\b)/)
    .map((piece) => piece.replace(NAMED, (_, start) => `${program} ${start ? 'run' : ''}`))
    .map((piece) => (piece.startsWith(program) ? piece.replace(' -- ', ' ') : piece))
    .join('');
}
