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

export interface RunnerOptions {
  /** Called before each round. */
  readonly onRound: (work: Work, round: number) => void;
  /** True if the figures do not matter: servers are hardly warmed up. */
  readonly quick: boolean;
}

export async function createRunner({ onRound, quick }: RunnerOptions): Promise<Runner> {
  const upstream = await ServerProcess.node('./upstream.ts', []);
  const agent = createAgent();
  const peers = new Map<PeerName, Promise<Peer>>();
  const bench = {
    upstream: upstream.url,
    agent,
    peer(name: PeerName): Promise<Peer> {
      const started = peers.get(name) ?? bench.freshPeer(name);
      peers.set(name, started);
      return started;
    },
    async freshPeer(name: PeerName): Promise<Peer> {
      const peer = await startPeer(name);
      await warmUp(peer, upstream.url, agent, quick ? 1 : WARM_UP_BATCHES);
      return peer;
    },
  };
  return {
    async run(work, count) {
      const rounds: Round[] = [];
      try {
        // A warm-up round: code is compiled, connections are opened.
        if (!work.warmsUp) await work.run({ ...bench, round: 0 });
        for (let round = 0; round < count; round += 1) {
          onRound(work, round);
          rounds.push(await work.run({ ...bench, round }));
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

async function warmUp(peer: Peer, upstream: string, agent: Agent, batches: number): Promise<void> {
  const request = post(peer, `${upstream}/?chunks=10&gap=2&size=120`);
  for (let batch = 0; batch < batches; batch += 1) {
    await Promise.all(Array.from({ length: WARM_UP_STREAMS }, () => record(agent, request)));
  }
}
