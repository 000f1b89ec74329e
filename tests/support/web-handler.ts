import { join } from 'node:path';
import { createDurableHandler, type DurableHandler, type DurableHandlerOptions } from 'durable-proxy/web';
import { LOCAL_UPSTREAMS, temporaryFolder } from './proxy.ts';

export interface TestHandler {
  readonly handler: DurableHandler;
  /** Folder of the store. It does not exist until the first request. */
  readonly dataDir: string;
  /** Closes the handler, and removes its store. */
  close(): Promise<void>;
}

/** A web handler for `/v1/proxy` with a store of its own. */
export async function createHandler(options: Partial<DurableHandlerOptions> = {}): Promise<TestHandler> {
  const folder = await temporaryFolder();
  const dataDir = join(folder.path, 'streams');
  const handler = createDurableHandler({ basePath: '/v1/proxy', ...LOCAL_UPSTREAMS, dataDir, ...options });
  return {
    handler,
    dataDir,
    close: async () => {
      await handler.close({ drainMs: 0 });
      await folder.remove();
    },
  };
}
