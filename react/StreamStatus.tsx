import type { CSSProperties, ReactElement } from 'react';
import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { Resumption } from '../core-client/types.ts';
import type { ResumptionWords } from './resumption-words.ts';
import { useResumption } from './useResumption.ts';

export interface StreamStatusProps {
  /** The `resumption` of a hook, of a transport or of an adapter. */
  resumption: Resumption | ResumptionSource | null | undefined;
  /** Called by the button that is there after a failure; without it there is no button. */
  onRetry?: (() => void) | undefined;
  /** The button's label. Default `Try again`. */
  retryLabel?: string | undefined;
  /** The sentences, in another language or tone; an empty one says nothing. */
  words?: Partial<ResumptionWords> | undefined;
  className?: string | undefined;
  style?: CSSProperties | undefined;
}

/**
 * Says in one line where the answer stands, to eyes and to screen readers. Its looks are CSS variables:
 * `--stream-status-color`, `-gap`, `-font-size`, `-dot`, `-dot-busy`, `-dot-lost`, `-dot-failed`. The current
 * state is in `data-status`, and why there is no answer in `data-reason`.
 *
 * @param props what to show, and how.
 * @example
 * <StreamStatus resumption={resumption} onRetry={retry} />
 */
export function StreamStatus({
  resumption,
  onRetry,
  retryLabel = 'Try again',
  words,
  className,
  style,
}: StreamStatusProps): ReactElement {
  const { status, reason, message, canRetry, isBusy, isInterrupted } = useResumption(resumption, words);
  const dot = isInterrupted ? DOTS.lost : isBusy ? DOTS.busy : canRetry ? DOTS.failed : DOTS.other;
  return (
    <div className={className} data-status={status} data-reason={reason} style={{ ...LINE, ...style }}>
      {message && <span aria-hidden="true" style={{ ...DOT, background: dot }} />}
      {/* Always there: a live region that comes with its text is not read out. */}
      <span role="status" aria-live="polite" aria-atomic="true">
        {message}
      </span>
      {canRetry && onRetry && (
        <button type="button" onClick={onRetry}>
          {retryLabel}
        </button>
      )}
    </div>
  );
}

const LINE: CSSProperties = {
  display: 'flex',
  alignItems: 'center',
  gap: 'var(--stream-status-gap, 0.5em)',
  minHeight: '1.5em',
  color: 'var(--stream-status-color, inherit)',
  fontSize: 'var(--stream-status-font-size, 0.875em)',
};

const DOT: CSSProperties = { width: '0.5em', height: '0.5em', borderRadius: '50%', flex: 'none' };

const DOTS = {
  busy: 'var(--stream-status-dot-busy, #2563eb)',
  lost: 'var(--stream-status-dot-lost, #b45309)',
  failed: 'var(--stream-status-dot-failed, #b91c1c)',
  other: 'var(--stream-status-dot, #6b7280)',
};
