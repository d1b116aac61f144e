import type { MiddlewareHandler } from 'hono';
import { html } from 'hono/html';
import { page } from './layout.js';

const GONE =
  'There is nothing here. An uploaded file is gone once the dashboard was started again, or many others were uploaded: drop it again to find its rows.';

/** Gives refusals the look of a page, with a way back, for those who opened one or sent a form; programs get the words alone. */
export function errorPages(where: string): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const { status, headers } = c.res;
    const isText = headers.get('content-type')?.startsWith('text/plain') ?? false;
    const wantsPage = c.req.header('accept')?.includes('text/html') ?? false;
    if (status < 400 || !isText || !wantsPage) return;
    const text = status === 404 ? GONE : await c.res.text();
    const content = html`<h1>That did not work</h1>
      <p class="problem">${text}</p>
      <p><a class="button" href="/">Back to the overview</a></p>`;
    const frame = { title: 'That did not work · zia-bulk-enrich', where, current: null, scripts: [] };
    c.res = new Response(String(await page(frame, content)), {
      status,
      headers: { 'content-type': 'text/html; charset=UTF-8' },
    });
  };
}
