// @vitest-environment jsdom
import { describe, expect, it, vi } from 'vitest';
import { onWake } from './wake.ts';

function setVisibility(state: DocumentVisibilityState): void {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}

describe('onWake', () => {
  it('reports that the network is back, that the page was restored, and that it became visible', () => {
    const wake = vi.fn();
    const off = onWake(wake);
    window.dispatchEvent(new Event('online'));
    expect(wake).toHaveBeenCalledTimes(1);
    window.dispatchEvent(new Event('pageshow'));
    expect(wake).toHaveBeenCalledTimes(2);
    setVisibility('hidden');
    expect(wake).toHaveBeenCalledTimes(2);
    setVisibility('visible');
    expect(wake).toHaveBeenCalledTimes(3);
    off();
    setVisibility('visible');
    window.dispatchEvent(new Event('online'));
    expect(wake).toHaveBeenCalledTimes(3);
  });

  it('also subscribes to a source of the app, and unsubscribes from it', () => {
    const wake = vi.fn();
    const unsubscribe = vi.fn();
    let report = () => {};
    const off = onWake(wake, (onEvent) => {
      report = onEvent;
      return unsubscribe;
    });
    report();
    expect(wake).toHaveBeenCalledTimes(1);
    expect(unsubscribe).not.toHaveBeenCalled();
    off();
    expect(unsubscribe).toHaveBeenCalledTimes(1);
  });
});
