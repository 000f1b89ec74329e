import { createHash, randomBytes, randomInt } from 'node:crypto';
import { lstat, mkdir, open, readdir, realpath, rmdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StoreError } from '../types.ts';

/**
 * An exclusive lock on a directory that is released when its process ends, even by a crash: a listening
 * socket. (A pid in a file does not work in containers, where every process is number 1.) A successful
 * connection means that the owner is alive; a refused one means that the socket is a leftover.
 *
 * How two candidates cannot both win: a candidate first listens on a socket with a unique name, then connects to all
 * others, and has won if none responds. If two race, both listen before either connects, so at least one finds the
 * other, closes its socket and tries again after a random pause. The winner removes the leftovers. A name is never
 * used twice, so no process removes a successor's socket by mistake.
 */
export interface Lock {
  release(): Promise<void>;
}

const ATTEMPTS = 8;
/** Milliseconds, multiplied by the number of the attempt, so that many candidates spread out. */
const PAUSE_MS = 40;
/** Milliseconds to wait for the pid of a holder that accepted the connection. Its event loop may be busy. */
const PID_MS = 500;
/** The path of a Unix socket is limited to 104 bytes on macOS and the BSDs, and to 108 on Linux. */
const LONGEST_PATH = 100;
const NAME = /^lock-[0-9a-f]{16}\.sock$/;

const newName = (): string => `lock-${randomBytes(8).toString('hex')}.sock`;

/** Directory of the lock sockets of a data directory, by a path that is short enough. */
interface SocketDirectory {
  readonly path: string;
  release(): Promise<void>;
}

/** The owner of a socket that accepted a connection. `pid` is undefined if the owner did not send it in time. */
interface Holder {
  readonly pid: number | undefined;
}

/** @throws StoreError `UNAVAILABLE` that names the directory, the holder's pid and what to do. */
export async function lockDirectory(dataDir: string): Promise<Lock> {
  const real = await realpath(dataDir);
  if (process.platform === 'win32') {
    const path = `\\\\.\\pipe\\durable-proxy-${hashOf(real)}`;
    const pipe = await listen(path);
    if (!pipe) throw held(dataDir, await holderAt(path));
    return { release: () => close(pipe) };
  }
  const directory = await socketDirectory(real);
  try {
    for (let attempt = 1; ; attempt += 1) {
      const { lock, holder } = await tryLock(directory.path);
      if (lock) return { release: () => lock.release().then(() => directory.release()) };
      if (attempt === ATTEMPTS) throw held(dataDir, holder);
      await delay(randomInt(PAUSE_MS * attempt));
    }
  } catch (error) {
    await directory.release();
    throw error;
  }
}

const hashOf = (path: string): string => createHash('sha256').update(path).digest('hex').slice(0, 16);

/**
 * Returns the data directory itself. If its path is too long for a socket: on Linux, the same directory by a short
 * path; elsewhere, a private directory below `tmpdir()`.
 */
async function socketDirectory(real: string): Promise<SocketDirectory> {
  if (Buffer.byteLength(join(real, newName())) <= LONGEST_PATH) {
    return { path: real, release: () => Promise.resolve() };
  }
  if (process.platform === 'linux') {
    const handle = await open(real, 'r');
    return { path: `/proc/self/fd/${handle.fd}`, release: () => handle.close() };
  }
  return privateDirectory(join(tmpdir(), `durable-proxy-${hashOf(real)}`));
}

/**
 * Creates a directory under a predictable name, or uses an existing one that only this user can write to.
 * @throws Error if another user could have created it or can write to it: a socket in it would then not prove that
 *   the lock is held.
 */
export async function privateDirectory(path: string): Promise<SocketDirectory> {
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  // Not stat(): it follows symbolic links, which another user may have created.
  const found = await lstat(path);
  if (!found.isDirectory() || found.uid !== userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new Error(
      `"${path}" is not a directory that only this user can write to. Remove it, set TMPDIR to a private ` +
        'directory, or choose a shorter `dataDir` (its lock is then inside it)',
    );
  }
  return { path, release: () => rmdir(path).catch(() => undefined) };
}

/** Returns the lock, or the owner of another socket. */
async function tryLock(directory: string): Promise<{ lock?: Lock; holder?: Holder | undefined }> {
  const name = newName();
  const server = await listen(join(directory, name));
  if (!server) return {};
  try {
    const names = await readdir(directory);
    const others = names
      .filter((other) => other !== name && NAME.test(other))
      .map((other) => join(directory, other));
    const holders = (await Promise.all(others.map(holderAt))).filter((holder) => holder !== undefined);
    if (holders.length === 0) {
      await Promise.all(others.map((other) => unlink(other).catch(() => undefined)));
      return { lock: { release: () => close(server) } };
    }
    await close(server);
    return { holder: holders.find(({ pid }) => pid !== undefined) ?? holders[0] };
  } catch (error) {
    await close(server);
    throw error;
  }
}

/** Listens on a path and sends this process's pid to each connection. Resolves with undefined if the path is in use. */
function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(`${process.pid}\n`, () => socket.destroy());
    });
    server.unref();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => resolve(server));
  });
}

/** Closes a server, which also removes the socket's file. */
const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

/**
 * Resolves with undefined if no process listens: the connection is refused, or the socket does not exist. Any other
 * failure may be caused by load, and counts as a holder.
 */
function holderAt(path: string): Promise<Holder | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path, () => void socket.setTimeout(PID_MS));
    const connected = (): void => {
      socket.destroy();
      resolve({ pid: /^\d{1,10}\n$/.test(text) ? Number(text) : undefined });
    };
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (text.length > 16 || text.endsWith('\n')) connected();
    });
    socket.on('end', connected);
    socket.on('timeout', connected);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const isGone = error.code === 'ECONNREFUSED' || error.code === 'ENOENT';
      resolve(isGone ? undefined : { pid: undefined });
    });
  });
}

function held(dataDir: string, holder: Holder | undefined): StoreError {
  const who = holder?.pid === undefined ? 'Another process' : `Another process (pid ${holder.pid})`;
  return new StoreError(
    'UNAVAILABLE',
    `${who} holds "${dataDir}", or another thread of this one. Stop it, or set \`dataDir\` to a ` +
      'directory of its own.',
  );
}
