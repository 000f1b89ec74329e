import type { Agent } from 'undici';
import { createAgent, post, record } from './read.ts';
import { ServerProcess } from './processes.ts';
import { startPeer, type Peer, type PeerName } from './peers/index.ts';
import { resultOf } from './results.ts';
import type { Round, Work, WorkResult } from './work.ts';

/** Runs works. Peers are started when a work first needs them, and keep running. */
export interface Runner {
  run(work: Work, rounds: number): Promise<WorkResult>;
  stop(): Promise<void>;
}

export async function createRunner(onRound: (work: Work, round: number) => void): Promise<Runner> {
  const upstream = await ServerProcess.node('./upstream.ts', []);
  const agent = createAgent();
  const peers = new Map<PeerName, Promise<Peer>>();
  const start = async (name: PeerName): Promise<Peer> => {
    const peer = await startPeer(name);
    await warmUp(peer, upstream.url, agent);
    return peer;
  };
  const peer = (name: PeerName): Promise<Peer> => {
    const started = peers.get(name) ?? start(name);
    peers.set(name, started);
    return started;
  };
  return {
    async run(work, count) {
      const rounds: Round[] = [];
      try {
        // A warm-up round: code is compiled, connections are opened.
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

/** Servers run for days, so the benchmark measures compiled code. */
const WARM_UP_BATCHES = 40;
const WARM_UP_STREAMS = 25;

export async function warmUp(peer: Peer, upstream: string, agent: Agent): Promise<void> {
  const request = post(peer, `${upstream}/?chunks=10&gap=2&size=120`);
  for (let batch = 0; batch < WARM_UP_BATCHES; batch += 1) {
    await Promise.all(Array.from({ length: WARM_UP_STREAMS }, () => record(agent, request)));
  }
}
