import { expect, it, vi } from 'vitest';
import { onWake } from './wake.ts';

it('does nothing if the environment has no such events', () => {
  const off = onWake(() => {});
  expect(off).not.toThrow();
});

it('works in a worker, which has events and no document', () => {
  const worker = new EventTarget();
  vi.stubGlobal('addEventListener', worker.addEventListener.bind(worker));
  vi.stubGlobal('removeEventListener', worker.removeEventListener.bind(worker));
  const wake = vi.fn();
  const off = onWake(wake);
  worker.dispatchEvent(new Event('online'));
  worker.dispatchEvent(new Event('visibilitychange'));
  off();
  worker.dispatchEvent(new Event('online'));
  vi.unstubAllGlobals();
  expect(wake).toHaveBeenCalledTimes(1);
});
