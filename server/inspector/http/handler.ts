import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Inspectable } from '../../inspectable.ts';
import { splitTarget } from '../../http/exchange.ts';
import { toProxyError } from '../../http/render-error.ts';
import { cutResponse, ignoreErrors, respond } from '../../http/response.ts';
import { redact, secretsOfRequest } from '../../shared/redact.ts';
import { Hub } from '../hub.ts';
import { ACTIONS } from './actions.ts';
import { answerDetails } from './answer-details.ts';
import { answerText } from './answer-text.ts';
import { sendEvents } from './events.ts';
import { requireAuthorized, requireOwnPage, securityHeaders, type Authorize } from './guard.ts';
import { PageFiles } from './page-files.ts';
import { Refusal } from './refusal.ts';

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const ANSWER_PATH = new RegExp(`^api/answers/(${UUID})(?:/(text|stop|delete|link))?$`);

export interface InspectorHandlerOptions {
  readonly authorize: Authorize;
  /** Sources that may show the page in a frame. */
  readonly frameAncestors: readonly string[];
}

/** A request as it arrived, before a framework changes it. */
export interface InspectorRequest {
  /** Path and query below the mount. */
  readonly target: string;
  /** The whole path and query. */
  readonly original: string;
}

export type InspectorHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  arrival: InspectorRequest,
) => Promise<void>;

/** Creates the handler of the inspector's page and of its API. The handler never rejects. */
export function createInspectorHandler(
  inspectable: Inspectable,
  { authorize, frameAncestors }: InspectorHandlerOptions,
): InspectorHandler {
  const { context } = inspectable;
  const { logger } = context.options;
  const hub = inspectable.observers.attach(() => new Hub(inspectable));
  const setHeaders = securityHeaders(frameAncestors);
  const files = new PageFiles();

  return async (req, res, { target, original }) => {
    ignoreErrors(res);
    try {
      setHeaders(req, res);
      await requireAuthorized(req, authorize, logger);
      const { path, query } = splitTarget(target);
      const name = path.slice(1);
      if (req.method === 'GET') await get(req, res, { name, query, original });
      else if (req.method === 'POST') await post(req, res, name);
      else throw new Refusal(405, 'The inspector allows GET and POST');
    } catch (error) {
      refuse(req, res, error);
    }
  };

  async function get(
    req: IncomingMessage,
    res: ServerResponse,
    { name, query, original }: { name: string; query: URLSearchParams; original: string },
  ): Promise<void> {
    // Without a trailing slash, the page would request its files beside the mount instead of below it.
    const folder = /([^/]*)$/.exec(splitTarget(original).path)?.[1] ?? '';
    if (name === '' && folder !== '') return respond(res, 302, { Location: `${folder}/` });
    const file = await files.get(name);
    if (file) {
      return respond(
        res,
        200,
        { 'Content-Type': file.contentType, 'Content-Length': file.bytes.length },
        file.bytes,
      );
    }
    if (name === 'api/snapshot' || name === 'api/events') {
      await inspectable.opened();
      if (name === 'api/events') return sendEvents(req, res, hub);
      return json(res, 200, await hub.snapshot());
    }
    const [, streamId, part] = ANSWER_PATH.exec(name) ?? [];
    if (streamId === undefined || (part !== undefined && part !== 'text'))
      throw new Refusal(404, 'Not found');
    await inspectable.opened();
    if (part === 'text') await answerText(res, query, streamId, context);
    else json(res, 200, await answerDetails(streamId, context, hub));
  }

  async function post(req: IncomingMessage, res: ServerResponse, name: string): Promise<void> {
    requireOwnPage(req);
    const [, streamId, part = ''] = ANSWER_PATH.exec(name) ?? [];
    const action = Object.hasOwn(ACTIONS, part) ? ACTIONS[part] : undefined;
    if (streamId === undefined || !action) throw new Refusal(404, 'Not found');
    await inspectable.opened();
    json(res, 200, await action(streamId, inspectable, hub));
    logger.info({ streamId, action: part }, 'an operator used the inspector');
  }

  function refuse(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    if (res.headersSent) return cutResponse(res);
    if (error instanceof Refusal) return json(res, error.status, { error: { message: error.message } });
    const { status, message, cause } = toProxyError(error);
    if (status >= 500) logger.error({ err: redact(cause ?? error, secretsOfRequest(req)) }, message);
    json(res, status, { error: { message } });
  }
}

function json(res: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  respond(
    res,
    status,
    { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) },
    text,
  );
}
