import { createDurableFetch, MemoryStorage } from '../../core-client/index.ts';

/** Task of a client in Node or in a page: reads several responses concurrently to their ends. */
export interface ClientTask {
  /** Reads by `durableFetch` through this proxy; undefined: by plain fetch. */
  readonly proxyUrl?: string | undefined;
  readonly secret: string;
  readonly upstreamUrl: string;
  readonly streams: number;
}

export interface ClientReport {
  readonly bytes: number;
  /** Reads that returned bytes. */
  readonly reads: number;
}

export interface ClientMeasured extends ClientReport {
  /** CPU time of the client, in milliseconds. */
  readonly cpuMs: number;
}

export async function readAnswers(task: ClientTask): Promise<ClientReport> {
  const { proxyUrl, secret, upstreamUrl, streams } = task;
  const read: typeof fetch =
    proxyUrl === undefined
      ? fetch
      : createDurableFetch({ proxyUrl, proxyAuthorization: secret, storage: new MemoryStorage() });
  let [bytes, reads] = [0, 0];
  const one = async (): Promise<void> => {
    const { body } = await read(upstreamUrl, { method: 'POST' });
    const reader = body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.length;
      reads += 1;
    }
  };
  await Promise.all(Array.from({ length: streams }, one));
  return { bytes, reads };
}
