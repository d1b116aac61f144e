import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { BOARD_PATH } from './queue-board.js';

/** Nothing is loaded from elsewhere, nothing inline runs, and nobody may frame the pages. */
function headers(styleSrc: string[]): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      workerSrc: ["'self'"],
      styleSrc,
      imgSrc: ["'self'", 'data:'],
      fontSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
    xFrameOptions: 'DENY',
    // With no-referrer a form of our own would be sent with the origin `null`.
    referrerPolicy: 'same-origin',
    permissionsPolicy: { camera: [], microphone: [], geolocation: [], usb: [], payment: [] },
    // Plain HTTP here; a proxy that adds TLS decides for itself.
    strictTransportSecurity: false,
  });
}

/** The headers of every answer; what may hold rows is kept in no cache. */
export function pageHeaders(): MiddlewareHandler {
  const own = headers(["'self'"]);
  // bull-board sets styles inline.
  const board = headers(["'self'", "'unsafe-inline'"]);
  return async (c, next) => {
    const isBoard = c.req.path === BOARD_PATH || c.req.path.startsWith(`${BOARD_PATH}/`);
    await (isBoard ? board : own)(c, next);
    if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store');
  };
}
