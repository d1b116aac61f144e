import { randomUUID } from 'node:crypto';
import { open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UsageError } from '../lib/errors.js';

/**
 * Sets variables in a `.env`, which appears whole and readable for its owner alone. All other lines stay byte for byte, and
 * in their order; a variable that is set already changes in its place, others come at the end. Throws `UsageError` when the
 * file cannot be written. Safe to repeat.
 */
export async function setInEnvFile(path: string, values: Readonly<Record<string, string>>): Promise<void> {
  // A link stays a link: what it leads to is written.
  const target = await realpath(path).catch(() => path);
  const temporary = join(dirname(target), `.env.${randomUUID()}.tmp`);
  try {
    const before = await readFile(target, 'utf8').catch(absent);
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(withValues(before, values));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
    throw new UsageError(
      'ENV_FILE_NOT_WRITABLE',
      `${path} cannot be written${code}; make it and its folder writable.`,
      {
        cause,
      },
    );
  }
}

function absent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}

/** The text of a `.env` with these variables set. */
export function withValues(text: string, values: Readonly<Record<string, string>>): string {
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  let changed = text;
  let added = '';
  for (const [name, value] of Object.entries(values)) {
    const assignment = `${name}=${quoted(value)}`;
    // The value may be quoted, and then span lines.
    const line = new RegExp(
      String.raw`^([ \t]*(?:export[ \t]+)?)${name}[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"[^\r\n]*|'[^']*'[^\r\n]*|[^\r\n]*)`,
      'gm',
    );
    if (line.test(changed)) changed = changed.replace(line, (_, start: string) => `${start}${assignment}`);
    else added += `${assignment}${lineEnd}`;
  }
  const gap = added === '' || changed === '' || /\n$/.test(changed) ? '' : lineEnd;
  return changed + gap + added;
}

function quoted(value: string): string {
  if (/^[\w.:/@+-]*$/.test(value)) return value;
  return value.includes("'") ? `"${value}"` : `'${value}'`;
}
