import type { CSSProperties, ReactElement } from 'react';
import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { Resumption } from '../core-client/types.ts';
import type { ResumptionWords } from './resumption-words.ts';
import { useResumption } from './useResumption.ts';

export interface StreamStatusProps {
  /** The `resumption` of a hook, a transport or an adapter. */
  resumption: Resumption | ResumptionSource | null | undefined;
  /** Called when the user clicks the button that is shown after a failure. Without it there is no button. */
  onRetry?: (() => void) | undefined;
  /** Label of the button. @default 'Try again' */
  retryLabel?: string | undefined;
  /** Sentences in another language or tone. An empty one shows nothing. */
  words?: Partial<ResumptionWords> | undefined;
  /** Class of the element. */
  className?: string | undefined;
  /** Inline style of the element. */
  style?: CSSProperties | undefined;
}

/**
 * Shows the state of an answer in one line, for sighted users and screen readers. Style it with CSS variables:
 * `--stream-status-color`, `-gap`, `-font-size`, `-dot`, `-dot-busy`, `-dot-lost`, `-dot-failed`. The attribute
 * `data-status` has the status, `data-reason` the reason why there is no answer.
 *
 * @param props what to show, and how.
 * @returns the element.
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
      {/* Always rendered: screen readers skip a live region that appears together with its text. */}
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
