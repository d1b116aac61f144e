import type { MiddlewareHandler } from 'hono';
import { html } from 'hono/html';
import type { Frame } from './frame.js';
import { page } from './layout.js';

const GONE =
  'There is no such page. A file that was only looked at is forgotten when the dashboard restarts: add it again, nothing is lost.';

/** Gives refusals the look of a page, with a way back, for those who opened one or sent a form; programs get the words alone. */
export function errorPages(frame: Frame): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const { status, headers } = c.res;
    const isText = headers.get('content-type')?.startsWith('text/plain') ?? false;
    const wantsPage = c.req.header('accept')?.includes('text/html') ?? false;
    if (status < 400 || !isText || !wantsPage) return;
    const text = status === 404 ? GONE : await c.res.text();
    const title = status === 404 ? 'Page not found' : 'That did not work';
    const content = html`<h1>${title}</h1>
      <p class="problem">${text}</p>
      <p><a class="button" href="/">Back to the overview</a></p>`;
    const head = { title, current: null, scripts: [] };
    const connection = headers.get('connection');
    c.res = new Response(String(await page(head, frame, null, content)), {
      status,
      headers: { 'content-type': 'text/html; charset=UTF-8', ...(connection !== null && { connection }) },
    });
  };
}
