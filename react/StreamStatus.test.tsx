// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { IDLE } from '../core-client/state.ts';
import { ResumptionStore } from '../core-client/transports/resumption-store.ts';
import type { Resumption, ResumptionStatus } from '../core-client/types.ts';
import { StreamStatus } from './StreamStatus.tsx';
import { WORDS } from './resumption-words.ts';

afterEach(cleanup);

const at = (status: ResumptionStatus, more: Partial<Resumption> = {}): Resumption => ({
  ...IDLE,
  status,
  ...more,
});
const STATES: ResumptionStatus[] = [
  'idle',
  'creating',
  'streaming',
  'reconnecting',
  'complete',
  'aborted',
  'failed',
  'expired',
];

describe('StreamStatus', () => {
  it.each(STATES)('announces the state %s in a live region', (status) => {
    const { container } = render(<StreamStatus resumption={at(status)} />);
    expect(screen.getByRole('status').textContent).toBe(WORDS[status]);
    expect(screen.getByRole('status').getAttribute('aria-live')).toBe('polite');
    expect(container.querySelector('[data-status]')?.getAttribute('data-status')).toBe(status);
  });

  it('renders an empty live region first, because screen readers announce only later changes', () => {
    render(<StreamStatus resumption={undefined} />);
    expect(screen.getByRole('status').textContent).toBe('');
  });

  it.each(STATES)('offers a retry in state %s only if it helps', (status) => {
    let retries = 0;
    render(<StreamStatus resumption={at(status)} onRetry={() => retries++} retryLabel="Once more" />);
    const button = screen.queryByRole('button', { name: 'Once more' });
    expect(button !== null).toBe(status === 'failed' || status === 'expired');
    if (button) fireEvent.click(button);
    expect(retries).toBe(button ? 1 : 0);
  });

  it('offers no retry without a handler', () => {
    render(<StreamStatus resumption={at('failed')} />);
    expect(screen.queryByRole('button')).toBeNull();
  });

  it('updates when its source changes, also with custom labels', async () => {
    const store = new ResumptionStore();
    render(<StreamStatus resumption={store} words={{ resumed: 'Da bin ich wieder.' }} />);
    store.set(at('streaming', { wasResumed: true }));
    expect((await screen.findByText('Da bin ich wieder.')).getAttribute('role')).toBe('status');
  });

  it('shows why an unread answer was stopped', () => {
    const error = Object.assign(new Error('not read'), { code: 'UNREAD' });
    render(<StreamStatus resumption={at('aborted', { error })} />);
    expect(screen.getByRole('status').textContent).toBe(WORDS.unread);
  });

  it('prefers the custom label of a status to the English text for its reason', () => {
    vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
    const words = { reconnecting: 'Verbindung weg' };
    const { rerender } = render(<StreamStatus resumption={at('reconnecting')} words={words} />);
    expect(screen.getByRole('status').textContent).toBe('Verbindung weg');
    rerender(<StreamStatus resumption={at('reconnecting')} words={{ ...words, offline: 'Offline' }} />);
    expect(screen.getByRole('status').textContent).toBe('Offline');
    vi.restoreAllMocks();
  });
});
