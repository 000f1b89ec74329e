import { ConfigurationError } from '../shared/errors.ts';
import type { MaybePromise } from '../shared/maybe-promise.ts';
import { compileAllowlist } from '../upstream/allowlist.ts';
import { lastPosition } from './repeated-events.ts';
import type { RecoveryRequest, UpstreamRecovery } from './types.ts';

/** The stream to continue, as passed to `request` of `lastEventIdRecovery`. */
export interface LastEventIdStream {
  /** URL of the create. */
  readonly url: string;
  /** Headers of the create, with `Last-Event-ID` and without those that describe a body. */
  readonly headers: Headers;
  /** Undefined if no stored event has an id: the stream restarts from its beginning. */
  readonly lastEventId: string | undefined;
  /** Header fields of the upstream's first response, such as `x-run-id`. */
  readonly responseHeaders: Headers;
}

/** Options of `lastEventIdRecovery`. */
export interface LastEventIdRecoveryOptions {
  /** One or several patterns of the URLs of creates, as in the option `allowlist`. */
  readonly match: string | readonly string[];
  /**
   * Returns the request that continues the stream, or null if there is none. Default: GET of the same URL.
   * @param stream the stream to continue, with the last event id that is stored.
   */
  readonly request?: (stream: LastEventIdStream) => MaybePromise<RecoveryRequest | null>;
  /**
   * Returns the request that stops the upstream. Default: closing the connection stops it.
   * @param stream the stream whose upstream is to be stopped.
   */
  readonly cancel?: (stream: Omit<LastEventIdStream, 'lastEventId'>) => MaybePromise<RecoveryRequest | null>;
}

/**
 * Continues event streams with `id:` lines: it sends the last id in `Last-Event-ID`, as `EventSource` does. The
 * upstream has to answer with the events after that id. The answer ends with the response.
 * @param options which streams to continue, and how.
 * @throws ConfigurationError for invalid options.
 */
export function lastEventIdRecovery(options: LastEventIdRecoveryOptions): UpstreamRecovery {
  const { match, request, cancel } = checked(options);
  const patterns = compileAllowlist([match].flat());
  return {
    name: 'last-event-id',
    matches: (exchange) => patterns.check(exchange.request.url) !== undefined,
    async resume({ request: { url, headers }, responseHeaders, events }) {
      const position = await lastPosition(events, ({ id }) => (id === '' ? undefined : id));
      if (!position) return null;
      const lastEventId = position.id;
      if (lastEventId !== undefined) {
        // Node sends header values as latin1, and `EventSource` sends the id as UTF-8.
        headers.set('last-event-id', Buffer.from(lastEventId, 'utf8').toString('latin1'));
      }
      const resumed = request
        ? await request({ url, headers, lastEventId, responseHeaders })
        : { url, headers };
      return resumed && { headers, ...resumed, isRepeated: position.isRepeated };
    },
    ...(cancel && {
      cancel: ({ request: { url, headers }, responseHeaders }) => cancel({ url, headers, responseHeaders }),
    }),
  };
}

function checked(options: LastEventIdRecoveryOptions): LastEventIdRecoveryOptions {
  const example = "lastEventIdRecovery({ match: 'https://agents.example.com/**' })";
  const { match, request, cancel } = (options ?? {}) as Partial<LastEventIdRecoveryOptions>;
  if (match === undefined || match.length === 0) {
    throw new ConfigurationError(
      `lastEventIdRecovery requires match, the URLs of its streams. Example: ${example}`,
    );
  }
  for (const [name, value] of Object.entries({ request, cancel })) {
    if (value !== undefined && typeof value !== 'function') {
      throw new ConfigurationError(`${name} of lastEventIdRecovery must be a function. Example: ${example}`);
    }
  }
  return options;
}
