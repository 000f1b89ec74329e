/** Microseconds of CPU for each chunk that is stored in Redis and read once. */
export interface Coefficients {
  /** The main thread of a process. */
  readonly mainThread: number;
  /** A process with all its threads. */
  readonly process: number;
  /** All nodes of Redis together. */
  readonly redis: number;
  /** The upstream and the readers of the benchmark, which run on the same machine. */
  readonly load: number;
}

export interface Setup {
  readonly processes: number;
  /** Masters of the Redis Cluster. */
  readonly nodes: number;
  /** Cores that everything shares. */
  readonly cores: number;
}

export interface Prediction {
  readonly chunksPerSecond: number;
  /** The resource that reaches its limit first. */
  readonly limit: 'main threads' | 'Redis' | 'cores';
}

/** Share of its time that a core or thread may be busy. Above it, chunks wait too long for p99 ≤ 50 ms. */
export const BUSY = 0.85;

/** Predicts the highest load. Assumes that streams are spread evenly over processes and nodes. */
export function predict(micros: Coefficients, { processes, nodes, cores }: Setup): Prediction {
  const perSecond = (workers: number, microsPerChunk: number) => (BUSY * workers * 1e6) / microsPerChunk;
  const limits = {
    'main threads': perSecond(processes, micros.mainThread),
    // A node is one thread.
    Redis: perSecond(nodes, micros.redis),
    cores: perSecond(cores, micros.process + micros.redis + micros.load),
  };
  const [limit] = (Object.keys(limits) as (keyof typeof limits)[]).sort((a, b) => limits[a] - limits[b]);
  return { chunksPerSecond: limits[limit!], limit: limit! };
}
