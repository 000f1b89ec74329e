import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdir, readdir, realpath, rmdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StoreError } from '../types.ts';

/**
 * An exclusive hold on a directory that ends with its process, however that ends: a listening socket. (A pid
 * in a file is no use in containers, where every process is number 1.) Whoever can connect to it knows that
 * its owner lives; a refused connection means a leftover.
 *
 * Without two winners: a candidate first listens on a socket of its own name, then looks at all others, and
 * has won when none of them answers. Of two that race, both are to be seen before either looks, so at least
 * one sees the other and steps back, to try again after a random pause. The winner removes the leftovers; a
 * name is never used twice, so nobody can remove a successor by mistake.
 */
export interface Lock {
  release(): Promise<void>;
}

const ATTEMPTS = 8;
/** Grows with every attempt, so that many rivals come apart. */
const PAUSE_MS = 40;
/** The path of a socket address holds 104 bytes on some systems, 108 on others. */
const LONGEST_PATH = 100;
const NAME = /^lock-[0-9a-f]{16}\.sock$/;

const newName = (): string => `lock-${randomBytes(8).toString('hex')}.sock`;

/** @throws StoreError `UNAVAILABLE` that names the ways out, when another holds the directory. */
export async function lockDirectory(dataDir: string): Promise<Lock> {
  const real = await realpath(dataDir);
  const hash = createHash('sha256').update(real).digest('hex').slice(0, 16);
  if (process.platform === 'win32') {
    const pipe = await listen(`\\\\.\\pipe\\durable-proxy-${hash}`);
    if (!pipe) throw held(dataDir);
    return { release: () => close(pipe) };
  }
  let directory = real;
  if (Buffer.byteLength(join(real, newName())) > LONGEST_PATH) {
    directory = join(tmpdir(), `durable-proxy-${hash}`);
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  for (let attempt = 1; ; attempt += 1) {
    const lock = await tryLock(directory);
    if (lock && directory === real) return lock;
    if (lock) return { release: () => lock.release().then(() => rmdir(directory).catch(() => undefined)) };
    if (attempt === ATTEMPTS) throw held(dataDir);
    await delay(randomInt(PAUSE_MS * attempt));
  }
}

/** Undefined when somebody else is there. */
async function tryLock(directory: string): Promise<Lock | undefined> {
  const name = newName();
  const server = await listen(join(directory, name));
  if (!server) return undefined;
  try {
    const names = await readdir(directory);
    const others = names
      .filter((other) => other !== name && NAME.test(other))
      .map((other) => join(directory, other));
    const alive = await Promise.all(others.map(answers));
    if (!alive.includes(true)) {
      await Promise.all(others.map((other) => unlink(other).catch(() => undefined)));
      return { release: () => close(server) };
    }
  } catch (error) {
    await close(server);
    throw error;
  }
  await close(server);
  return undefined;
}

/** Undefined when the path is taken. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => resolve(server));
  });
}

/** Removes the socket's file too. */
const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

/** A refused connection, or nothing to connect to, says that nobody is there. Any other failure may be load. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      resolve(true);
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function held(dataDir: string): StoreError {
  return new StoreError(
    'UNAVAILABLE',
    `Another process holds "${dataDir}", or another store in this one. Stop it, or set \`dataDir\` to a ` +
      'directory of its own; two proxies in one process share one store object by their `store` option.',
  );
}
