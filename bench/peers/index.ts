import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandPath } from '../../tests/requirements.ts';
import { freePort } from '../../tests/store/redis/servers.ts';
import { ServerProcess, type Usage } from '../processes.ts';
import { BENCH_SECRET, type Source } from '../read.ts';

export const PEER_NAMES = [
  'no proxy',
  'express pass-through',
  'resumable-stream + Redis',
  'durable-proxy, disk',
  'durable-proxy, process',
  'durable-proxy + Redis',
  'durable-proxy + Durable Streams',
  'express that frames',
  'express that flushes',
] as const;
/** The same without reading the formats of answers: part of one work only. */
export const INDIFFERENT = 'durable-proxy, disk, completeness off';
export type PeerName = (typeof PEER_NAMES)[number] | typeof INDIFFERENT;

/** A server between the reader and the upstream. */
export interface Peer extends Source {
  readonly name: PeerName;
  /**
   * Starts measuring the resources of all its processes.
   * @returns a function that returns the usage since then.
   */
  watch(): () => Usage;
  stop(): Promise<void>;
}

export async function startPeer(name: PeerName): Promise<Peer> {
  switch (name) {
    case 'no proxy':
      return peer(name, undefined, []);
    case 'express pass-through':
      return peer(name, await ServerProcess.node('./peers/express-server.ts', []), []);
    case 'express that frames':
      return peer(name, await ServerProcess.node('./peers/express-server.ts', ['frame']), []);
    case 'express that flushes': {
      const folder = await temporaryFolder();
      const args = ['flush', join(folder.path, 'chunks')];
      return peer(name, await ServerProcess.node('./peers/express-server.ts', args), [], folder.remove);
    }
    case 'resumable-stream + Redis': {
      const redis = await redisProcess();
      return peer(name, await ServerProcess.node('./peers/resumable-server.ts', [redis.url]), [redis]);
    }
    case 'durable-proxy + Redis': {
      const redis = await redisProcess();
      return peer(name, await ours(['redis', redis.url]), [redis]);
    }
    case 'durable-proxy + Durable Streams': {
      const backend = await ServerProcess.node('./peers/durable-streams-server.ts', []);
      return peer(name, await ours(['durable-streams', backend.url]), [backend]);
    }
    case 'durable-proxy, disk':
    case 'durable-proxy, process':
    case INDIFFERENT: {
      const folder = await temporaryFolder();
      const durability = name.endsWith('process') ? 'process' : 'disk';
      const completeness = name === INDIFFERENT ? 'off' : 'auto';
      const args = ['embedded', folder.path, durability, completeness];
      return peer(name, await ours(args), [], folder.remove);
    }
  }
}

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'durable-proxy-bench-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** With `BENCH_PROFILE=<folder>`, each of our servers writes a CPU profile there when it stops. */
function ours(args: string[]): Promise<ServerProcess> {
  const folder = process.env['BENCH_PROFILE'];
  const flags = folder ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [];
  return ServerProcess.node('./peers/our-server.ts', args, { BENCH_SECRET }, flags);
}

/** Keeps nothing on disk, like the peer that it is compared with. */
async function redisProcess(): Promise<ServerProcess> {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const ready = /Ready to accept connections/;
  return ServerProcess.start(commandPath('redis-server'), args, ready, {}, `redis://127.0.0.1:${port}`);
}

function peer(
  name: PeerName,
  server: ServerProcess | undefined,
  others: readonly ServerProcess[],
  cleanUp?: () => Promise<void>,
): Peer {
  const processes = [...(server ? [server] : []), ...others];
  const ours = name.startsWith('durable-proxy');
  return {
    name,
    durable: ours || name === 'express that frames',
    url: server && (ours ? `${server.url}/v1/proxy` : server.url),
    watch() {
      const watches = processes.map((each) => each.watch());
      return () => {
        const all = watches.map((used) => used());
        const sum = (field: keyof Usage) => all.reduce((total, usage) => total + usage[field], 0);
        return {
          cpuSeconds: sum('cpuSeconds'),
          residentBytes: sum('residentBytes'),
          peakBytes: sum('peakBytes'),
        };
      };
    },
    async stop() {
      for (const each of processes) await each.stop();
      await cleanUp?.();
    },
  };
}
