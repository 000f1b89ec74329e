// @vitest-environment jsdom
import { act, cleanup, render, renderHook } from '@testing-library/react';
import { Activity } from 'react';
import { afterEach, expect, it, vi } from 'vitest';
import { IDLE } from '../core-client/state.ts';
import { ResumptionStore } from '../core-client/transports/resumption-store.ts';
import { useResumption } from './useResumption.ts';

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

it('renders at most every 50 ms for progress, and immediately for any other change', () => {
  vi.useFakeTimers();
  const source = new ResumptionStore();
  const onRender = vi.fn();
  const { result } = renderHook(() => {
    onRender();
    return useResumption(source);
  });
  const before = onRender.mock.calls.length;
  for (let chunk = 1; chunk <= 1_000; chunk++) {
    act(() => {
      source.set({ ...IDLE, status: 'streaming', receivedBytes: chunk });
      vi.advanceTimersByTime(1);
    });
  }
  // One render for `streaming`, and one for each 50 ms of the second.
  expect(onRender.mock.calls.length - before).toBeLessThanOrEqual(21);
  act(() => source.set({ ...IDLE, status: 'complete', receivedBytes: 1_000 }));
  expect(result.current).toMatchObject({ status: 'complete', receivedBytes: 1_000 });
});

it('shows the newest state after an <Activity> was hidden', () => {
  const source = new ResumptionStore();
  function Status() {
    return <p>{useResumption(source).status}</p>;
  }
  const status = <Status />;
  const page = (mode: 'visible' | 'hidden') => <Activity mode={mode}>{status}</Activity>;
  act(() => source.set({ ...IDLE, status: 'streaming' }));
  const { rerender, container } = render(page('visible'));
  rerender(page('hidden'));
  act(() => source.set({ ...IDLE, status: 'complete' }));
  rerender(page('visible'));
  expect(container.textContent).toBe('complete');
});
