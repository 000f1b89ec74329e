/**
 * Reads an answer from its signed URL, without a library. After a lost connection the browser reconnects by itself, and
 * continues after the last control event that it received. Resolves with the outcome.
 */
export function readAnswer(signedUrl: string, onText: (text: string) => void): Promise<string> {
  const url = new URL(signedUrl, location.href);
  url.searchParams.set('live', 'sse');
  const source = new EventSource(url);
  const decoder = new TextDecoder();
  // A control event confirms the data before it. Data without one comes again after a reconnect.
  let received: Uint8Array[] = [];
  source.addEventListener('open', () => (received = []));
  source.addEventListener('data', ({ data }: MessageEvent<string>) => {
    received.push(Uint8Array.from(atob(data), (character) => character.charCodeAt(0)));
  });
  return new Promise((resolve, reject) => {
    source.addEventListener('control', ({ data }: MessageEvent<string>) => {
      for (const bytes of received) onText(decoder.decode(bytes, { stream: true }));
      received = [];
      const control = JSON.parse(data) as { streamClosed?: boolean; upstreamOutcome?: string };
      if (!control.streamClosed) return;
      source.close(); // Otherwise the browser would reconnect.
      resolve(control.upstreamOutcome ?? 'complete');
    });
    source.addEventListener('error', () => {
      // In other states the browser reconnects. It does not if the URL has expired or the stream does not exist.
      if (source.readyState === EventSource.CLOSED) reject(new Error('The answer cannot be read'));
    });
  });
}
