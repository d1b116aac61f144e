import type { MiddlewareHandler, NotFoundHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';

/** Hono answers HEAD as it would GET and drops the body unread: whatever fills it must be told. */
export function bodilessHead(): MiddlewareHandler {
  return async (c, next) => {
    await next();
    if (c.req.method === 'HEAD') await c.res.body?.cancel();
  };
}

const MOST_BYTES = 1_000_000;

/** Bodies are forms and a few settings, read whole into memory; only uploads, at `uploadPath`, are streamed and may be large. */
export function smallBodies(uploadPath: string): MiddlewareHandler {
  const limit = bodyLimit({
    maxSize: MOST_BYTES,
    onError: (c) => c.text('That is more than this dashboard reads: only files may be large.\n', 413),
  });
  return (c, next) => (c.req.method === 'POST' && c.req.path === uploadPath ? next() : limit(c, next));
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
