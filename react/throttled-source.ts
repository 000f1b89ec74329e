import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { Resumption } from '../core-client/types.ts';

/**
 * Limits how often progress renders a page. A resumption changes with each chunk of an answer. Changes of anything
 * other than the offset and the byte count are forwarded at once.
 *
 * @param waitMs minimum milliseconds between two notifications of progress. 0 or `undefined`: no limit.
 */
export function throttledSource(source: ResumptionSource, waitMs: number | undefined): ResumptionSource {
  if (!waitMs) return source;
  return {
    getSnapshot: source.getSnapshot,
    subscribe(listener) {
      let published = source.getSnapshot();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const publish = () => {
        clearTimeout(timer);
        timer = undefined;
        published = source.getSnapshot();
        listener();
      };
      const unsubscribe = source.subscribe(() => {
        if (!isProgress(published, source.getSnapshot())) publish();
        else timer ??= setTimeout(publish, waitMs);
      });
      return () => {
        clearTimeout(timer);
        unsubscribe();
      };
    },
  };
}

function isProgress(before: Resumption, after: Resumption): boolean {
  return (
    before.status === after.status &&
    before.wasResumed === after.wasResumed &&
    before.attempt === after.attempt &&
    before.error === after.error &&
    before.outcome === after.outcome
  );
}
