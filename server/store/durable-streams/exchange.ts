import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici/index.js';
import { StoreError } from '../types.ts';

/** Maximum size in bytes of a buffered body: a metadata log or an error page. */
const MAX_WHOLE_BODY = 4_194_304;

export interface WholeResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * Sends one request and buffers its response. Used for each append, so it avoids the stream and the signal that
 * undici's `request` creates.
 *
 * @param ms milliseconds in total, for waiting for a connection, connecting, headers and body.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  ms: number,
): Promise<WholeResponse> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let stopped: Error | undefined;
    let status = 0;
    let headers: IncomingHttpHeaders = {};
    let length = 0;
    const chunks: Buffer[] = [];
    const stop = (error: Error): void => {
      clearTimeout(timer);
      stopped = error;
      reject(error);
      controller?.abort(error);
    };
    const timer = setTimeout(() => stop(new Error(`no answer within ${ms} ms`)), ms);
    dispatcher.dispatch(request, {
      onRequestStart(started) {
        controller = started;
        // The time limit passed while the request waited for a connection.
        if (stopped) started.abort(stopped);
      },
      onResponseStart(_, statusCode, received) {
        status = statusCode;
        headers = received;
      },
      onResponseData(_, chunk) {
        length += chunk.length;
        if (length <= MAX_WHOLE_BODY) chunks.push(chunk);
        else
          stop(new StoreError('UNAVAILABLE', 'The Durable Streams backend sent a longer body than allowed'));
      },
      onResponseEnd() {
        clearTimeout(timer);
        resolve({ status, headers, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length) });
      },
      onResponseError(_, error) {
        clearTimeout(timer);
        reject(error);
      },
    });
  });
}
