// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { IDLE, TRANSITIONS } from '../core-client/state.ts';
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
const STATES = Object.keys(TRANSITIONS) as ResumptionStatus[];

describe('StreamStatus', () => {
  it.each(STATES)('says where an answer stands that is %s, in a live region', (status) => {
    const { container } = render(<StreamStatus resumption={at(status)} />);
    expect(screen.getByRole('status').textContent).toBe(WORDS[status]);
    expect(screen.getByRole('status').getAttribute('aria-live')).toBe('polite');
    expect(container.querySelector('[data-status]')?.getAttribute('data-status')).toBe(status);
  });

  it('has a place for its words before there are any: else none would be read out', () => {
    render(<StreamStatus resumption={undefined} />);
    expect(screen.getByRole('status').textContent).toBe('');
  });

  it.each(STATES)('offers a retry in state %s only where it helps', (status) => {
    let retries = 0;
    render(<StreamStatus resumption={at(status)} onRetry={() => retries++} retryLabel="Once more" />);
    const button = screen.queryByRole('button', { name: 'Once more' });
    expect(button !== null).toBe(status === 'failed' || status === 'expired');
    if (button) fireEvent.click(button);
    expect(retries).toBe(button ? 1 : 0);
  });

  it('offers none that nobody would answer', () => {
    render(<StreamStatus resumption={at('failed')} />);
    expect(screen.queryByRole('button')).toBeNull();
  });

  it('follows what changes by itself, in other words too', async () => {
    const store = new ResumptionStore();
    render(<StreamStatus resumption={store} words={{ resumed: 'Da bin ich wieder.' }} />);
    store.set(at('streaming', { wasResumed: true }));
    expect((await screen.findByText('Da bin ich wieder.')).getAttribute('role')).toBe('status');
  });

  it('says of an answer that nobody read why it was stopped', () => {
    const error = Object.assign(new Error('not read'), { code: 'UNREAD' });
    render(<StreamStatus resumption={at('aborted', { error })} />);
    expect(screen.getByRole('status').textContent).toBe(WORDS.unread);
  });

  it('shows the given word of a status instead of an English one for its reason', () => {
    vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
    const words = { reconnecting: 'Verbindung weg' };
    const { rerender } = render(<StreamStatus resumption={at('reconnecting')} words={words} />);
    expect(screen.getByRole('status').textContent).toBe('Verbindung weg');
    rerender(<StreamStatus resumption={at('reconnecting')} words={{ ...words, offline: 'Offline' }} />);
    expect(screen.getByRole('status').textContent).toBe('Offline');
    vi.restoreAllMocks();
  });
});
