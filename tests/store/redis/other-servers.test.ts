import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { redisStore } from '../../../server/store/redis/index.ts';
import { ignoringErrors } from './factory.ts';

// Dragonfly and KeyDB cannot be installed from Debian, so a server here sends their replies.
const SERVERS = [
  {
    name: 'Dragonfly',
    info: 'redis_version:7.4.0\r\ndragonfly_version:df-v1.25.0\r\nredis_mode:standalone\r\n',
    reply: '-ERR Invalid argument: Invalid flag: allow-oom\r\n',
  },
  {
    name: 'KeyDB',
    info: 'redis_version:7.0.0\r\nredis_mode:standalone\r\nexecutable:/usr/bin/keydb-server\r\n',
    reply: "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'\r\n",
  },
  {
    name: 'this server',
    info: 'redis_version:7.2.0\r\n',
    reply: '*0\r\n',
  },
];

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** Parses the commands in a chunk of RESP whose arguments are all bulk strings. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)].map(([, name]) => name!.toUpperCase());
}

async function startServer(info: string, reply: string): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setEncoding('utf8').on('error', () => undefined);
    socket.on('data', (chunk: unknown) => {
      for (const command of commandsIn(String(chunk))) {
        if (command === 'INFO') socket.write(`$${info.length}\r\n${info}\r\n`);
        else if (command === 'EVAL') socket.write(reply);
        else socket.write(command === 'PING' ? '+PONG\r\n' : '+OK\r\n');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return `redis://user:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each(SERVERS)('a server that answers as $name', ({ name, info, reply }) => {
  it.each(['redis', 'ioredis'])('is rejected when the store opens, with %s', async (library) => {
    const url = await startServer(info, reply);
    const client = () => ignoringErrors(new Redis(url, { lazyConnect: true }));
    const store = redisStore(library === 'redis' ? { url } : { client: client() });
    const error = await store.open().then(
      () => expect.fail('the store opened'),
      (reason: unknown) => reason as Error,
    );
    expect(error.name).toBe('ConfigurationError');
    expect(error.message).toContain(`${name} does not run the scripts of the store (`);
    expect(error.message).toContain('Use Redis 7 or later, or Valkey');
    expect(error.message).not.toContain('hunter2');
    await store.dispose();
  });
});
