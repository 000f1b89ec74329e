import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { Resumption } from '../core-client/types.ts';

/**
 * Limits how often progress renders a page. A resumption changes with each frame of an answer; a change of
 * anything but its offset and its count of bytes is passed on at once.
 *
 * @param waitMs milliseconds between two notifications of progress. 0 or `undefined`: no limit.
 */
export function throttledSource(source: ResumptionSource, waitMs: number | undefined): ResumptionSource {
  if (!waitMs) return source;
  return {
    getSnapshot: source.getSnapshot,
    subscribe(listener) {
      let told = source.getSnapshot();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const tell = () => {
        clearTimeout(timer);
        timer = undefined;
        told = source.getSnapshot();
        listener();
      };
      const unsubscribe = source.subscribe(() => {
        if (!isProgress(told, source.getSnapshot())) tell();
        else timer ??= setTimeout(tell, waitMs);
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
