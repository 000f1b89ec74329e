import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';
import type { Logger } from '../../shared/logger.ts';
import type { MaybePromise } from '../../shared/maybe-promise.ts';
import { redact, secretsOfRequest } from '../../shared/redact.ts';
import { ACTION_HEADER } from '../wire/types.ts';
import { Refusal } from './refusal.ts';

export type Authorize = (req: IncomingMessage) => MaybePromise<boolean>;

type SetHeaders = (req: IncomingMessage, res: ServerResponse) => void;

/**
 * Creates the function that sets the security headers of every response.
 * @param frameAncestors sources that may show the page in a frame.
 */
export function securityHeaders(frameAncestors: readonly string[]): SetHeaders {
  const setHeaders = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'"],
        'style-src': ["'self'"],
        'connect-src': ["'self'"],
        'img-src': ["'self'", 'data:'],
        'base-uri': ["'none'"],
        'form-action': ["'none'"],
        'frame-ancestors': [...frameAncestors],
        'require-trusted-types-for': ["'script'"],
      },
    },
    // `frame-ancestors` replaces this header, and can name origins.
    xFrameOptions: false,
    crossOriginResourcePolicy: { policy: 'same-origin' },
    // This header applies to the whole host, not to one path.
    strictTransportSecurity: false,
  });
  return (req, res) => {
    setHeaders(req, res, () => undefined);
    res.setHeader('Cache-Control', 'no-store');
  };
}

/**
 * Requires that `authorize` returns true. Any other value, an exception and a rejection refuse the request.
 * @throws Refusal 403.
 */
export async function requireAuthorized(
  req: IncomingMessage,
  authorize: Authorize,
  logger: Logger,
): Promise<void> {
  let isAllowed: unknown = false;
  try {
    isAllowed = await authorize(req);
  } catch (error) {
    logger.error(
      { err: redact(error, secretsOfRequest(req)) },
      'the authorize function of the inspector threw',
    );
  }
  if (isAllowed !== true) throw new Refusal(403, 'You may not see this page: authorize refused the request');
}

/**
 * Requires that a request comes from the page itself, not from a page of another site that uses the operator's session.
 * @throws Refusal 403.
 */
export function requireOwnPage(req: IncomingMessage): void {
  const { origin, host } = req.headers;
  const site = req.headers['sec-fetch-site'];
  // Browsers that do not send `Sec-Fetch-Site` send `Origin` with each POST. Behind a reverse proxy, `Host` may differ.
  const isOwn = site === undefined ? origin === undefined || hostOf(origin) === host : site === 'same-origin';
  if (!isOwn || req.headers[ACTION_HEADER.toLowerCase()] === undefined)
    throw new Refusal(403, `Actions need the header ${ACTION_HEADER} and the origin of the page`);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
