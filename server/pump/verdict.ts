import { REPORTED_ERROR } from '../../protocol/outcomes.ts';
import type { FormatReader } from '../formats/reader.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { StreamEnd } from '../store/types.ts';
import { classifyBodyError } from '../upstream/client.ts';

const COMPLETE: StreamEnd = { outcome: 'complete' };
const TRUNCATED: StreamEnd = {
  outcome: 'truncated',
  error: {
    code: 'UPSTREAM_TRUNCATED',
    message: 'The upstream ended its response before the answer was complete by its own format',
  },
};

/**
 * Returns the end of a stream whose upstream's body ended.
 * @param reader undefined if the format of the answer is not read.
 */
export function endOfBody(reader: FormatReader | undefined): StreamEnd {
  if (reader?.error) return reportedEnd(reader.error.code);
  return reader?.state === 'open' ? TRUNCATED : COMPLETE;
}

/**
 * Returns the end of a stream whose upstream's body failed. A failure after the answer has ended according to its
 * format is ignored.
 */
export function endOfFailure(failure: StreamEnd, reader: FormatReader | undefined): StreamEnd {
  return reader?.error || reader?.state === 'ended' ? endOfBody(reader) : failure;
}

/** Returns the end of a stream after an error in the upstream's body. */
export function endOfBodyError(error: Error): StreamEnd {
  const code = (error as { code?: unknown }).code;
  return classifyBodyError(error) === 'timeout'
    ? {
        outcome: 'timeout',
        error: {
          code: 'UPSTREAM_TIMEOUT',
          message: 'The answer was cut off: the upstream sent nothing for too long',
        },
      }
    : {
        outcome: 'upstream-error',
        error: {
          code: 'UPSTREAM_ERROR',
          message: `The answer was cut off: the connection to the upstream failed${typeof code === 'string' ? ` (${code})` : ''}`,
        },
      };
}

/** Returns the end of a stream after a failure of the store. */
export function endOfStoreFailure(error: unknown): StreamEnd {
  const reason = isStoreError(error) && error.code !== 'UNAVAILABLE' ? error.code : 'STORAGE_ERROR';
  return {
    outcome: 'interrupted',
    error: { code: reason, message: 'The stream store failed before the answer was complete' },
  };
}

/** Returns the end with the usage that the provider reported. */
export function withUsage(end: StreamEnd, reader: FormatReader | undefined): StreamEnd {
  const usage = reader?.usage;
  return usage === undefined ? end : { ...end, usage };
}

function reportedEnd(code: string | undefined): StreamEnd {
  return {
    outcome: 'upstream-error',
    error: {
      code: REPORTED_ERROR,
      message: `The upstream reported an error in its answer${code === undefined ? '' : ` (${code})`}`,
    },
  };
}
