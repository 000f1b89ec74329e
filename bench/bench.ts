import { createAgent } from './read.ts';
import { ServerProcess } from './processes.ts';
import { startPeer, type Peer, type PeerName } from './peers/index.ts';
import { resultOf } from './results.ts';
import type { Round, Work, WorkResult } from './work.ts';

/** Runs works over peers that are started when a work first asks for them, and stay. */
export interface Runner {
  run(work: Work, rounds: number): Promise<WorkResult>;
  stop(): Promise<void>;
}

export async function createRunner(onRound: (work: Work, round: number) => void): Promise<Runner> {
  const upstream = await ServerProcess.node('./upstream.ts', []);
  const agent = createAgent();
  const peers = new Map<PeerName, Promise<Peer>>();
  const peer = (name: PeerName): Promise<Peer> => {
    const started = peers.get(name) ?? startPeer(name);
    peers.set(name, started);
    return started;
  };
  return {
    async run(work, count) {
      const rounds: Round[] = [];
      try {
        // One that does not count: code is compiled, connections are made.
        await work.run({ upstream: upstream.url, agent, peer, round: 0 });
        for (let round = 0; round < count; round += 1) {
          onRound(work, round);
          rounds.push(await work.run({ upstream: upstream.url, agent, peer, round }));
        }
      } finally {
        await work.cleanUp?.();
      }
      return resultOf(work, rounds);
    },
    async stop() {
      for (const each of peers.values()) await (await each).stop();
      await agent.destroy();
      await upstream.stop();
    },
  };
}
