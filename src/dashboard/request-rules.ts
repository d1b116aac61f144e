import type { Context, MiddlewareHandler, NotFoundHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';

/** Hono answers HEAD as it would GET and drops the body unread: whatever fills it must be told. */
export function bodilessHead(): MiddlewareHandler {
  return async (c, next) => {
    await next();
    if (c.req.method === 'HEAD') await c.res.body?.cancel();
  };
}

const MAX_BYTES = 1_000_000;
/** A file in a form is read whole into memory: a script streams it instead. */
const MAX_FORM_BYTES = 10_000_000;

/** Bodies are forms and a few settings, read whole into memory; only uploads, at `uploadPath`, are streamed and may be large. */
export function smallBodies(uploadPath: string): MiddlewareHandler {
  const onError = (c: Context) => {
    // The rest of the body is on its way: the next request would have to wait for all of it.
    c.header('Connection', 'close');
    return c.text('That is more than this dashboard reads: only files may be large.\n', 413);
  };
  const small = bodyLimit({ maxSize: MAX_BYTES, onError });
  const form = bodyLimit({ maxSize: MAX_FORM_BYTES, onError });
  return (c, next) => {
    if (c.req.method === 'POST' && c.req.path === uploadPath) return next();
    return (c.req.path === `${uploadPath}/form` ? form : small)(c, next);
  };
}

/** Refuses to change anything where the pages only show. */
export function viewOnly({ readOnly }: { readonly readOnly: boolean }): MiddlewareHandler {
  return async (c, next) => {
    if (readOnly) return c.text('This dashboard is view-only.\n', 403);
    await next();
    return undefined;
  };
}

/** A body that is no form, or half of one. */
export class MalformedBodyError extends Error {}

/** The text fields of a form. Throws `MalformedBodyError`. */
export async function formOf(c: Context): Promise<Readonly<Record<string, string>>> {
  const body = await c.req.parseBody().catch((cause: unknown) => {
    throw new MalformedBodyError('The body is no form.', { cause });
  });
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );
}

/** Leads from a path with slashes at its end to the one without. Relative: behind a proxy we do not know our address. */
export const withoutSlash: NotFoundHandler = (c) => {
  const { pathname, search } = new URL(c.req.url);
  // Two slashes at the start would be another machine's address.
  const path = pathname.replace(/\/+$/, '').replace(/^\/+/, '/');
  const isVisit = c.req.method === 'GET' || c.req.method === 'HEAD';
  if (isVisit && path !== '' && pathname.endsWith('/')) return c.redirect(path + search, 301);
  return c.text('There is no such page.\n', 404);
};
