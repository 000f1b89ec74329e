import type { UpstreamClient } from '../upstream/client.ts';
import type { Telemetry } from './types.ts';

/** Returns a client whose requests are observed. */
export function observedUpstream(client: UpstreamClient, telemetry: Telemetry | undefined): UpstreamClient {
  if (!telemetry) return client;
  return {
    close: () => client.close(),
    async request(request) {
      const observer = telemetry.request(request);
      const replaced = observer.headers;
      const kept = [...request.headers].filter(([name]) => !Object.hasOwn(replaced, name.toLowerCase()));
      try {
        const response = await client.request({
          ...request,
          headers: [...kept, ...Object.entries(replaced)],
        });
        observer.responded(response.status);
        response.body.once('close', () => observer.ended());
        return response;
      } catch (error) {
        observer.failed(error);
        throw error;
      }
    },
  };
}
