import type { RedisServer } from '../tests/store/redis/servers.ts';

/** Returns counters of all nodes together: CPU, traffic, memory, and calls of each command. */
export async function redisCounters(nodes: readonly RedisServer[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  const add = (name: string, value: number) => (sums[name] = (sums[name] ?? 0) + value);
  for (const node of nodes) {
    const info = String(await node.command('INFO', 'all'));
    const field = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0);
    add('Redis, CPU µs', (field('used_cpu_user') + field('used_cpu_sys')) * 1e6);
    add('Redis, bytes received', field('total_net_input_bytes'));
    add('Redis, bytes sent', field('total_net_output_bytes'));
    add('Redis, bytes of memory', field('used_memory'));
    for (const [, command, calls] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      add(`Redis, calls of ${command!}`, Number(calls));
    }
  }
  return sums;
}
