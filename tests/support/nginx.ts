import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { commandPath } from '../requirements.ts';
import { until } from '../store/redis/servers.ts';
import { temporaryFolder } from './proxy.ts';

/** An nginx of the tests. It listens on a Unix socket, so that it needs no free port. */
export interface Nginx {
  readonly socketPath: string;
  stop(): Promise<void>;
}

/** Runs nginx as long as its stdin is open, so that an aborted test run leaves none behind. */
const GUARD = '"$@" & read -r _; kill $! 2>/dev/null; wait $!';

/** Temporary files of nginx, which are below /var/lib by default. */
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/**
 * Starts nginx.
 * @param http returns what is in its `http` block. `listen` is the parameter of `listen`.
 */
export async function startNginx(http: (folder: string, listen: string) => string): Promise<Nginx> {
  const folder = await temporaryFolder();
  const socketPath = join(folder.path, 'nginx.sock');
  const config = join(folder.path, 'nginx.conf');
  const lines = [
    // Without a master process, nginx does not change to another user, who could not open the folder.
    'daemon off; master_process off; error_log stderr crit;',
    `pid ${join(folder.path, 'nginx.pid')};`,
    'events { worker_connections 8192; }',
    'http {',
    ...TEMPORARY.map((name) => `${name}_temp_path ${join(folder.path, name)};`),
    http(folder.path, `unix:${socketPath} backlog=4096`),
    '}',
  ];
  await writeFile(config, lines.join('\n'));
  const args = ['-c', GUARD, 'sh', commandPath('nginx'), '-e', 'stderr', '-c', config];
  const child = spawn('sh', args, { stdio: ['pipe', 'ignore', 'inherit'] });
  const exited = once(child, 'exit');
  await until(() => accepts(socketPath));
  return {
    socketPath,
    stop: async () => {
      child.stdin.destroy();
      await exited;
      await folder.remove();
    },
  };
}

/** Returns true if a server accepts connections. */
async function accepts(path: string): Promise<boolean> {
  const socket = connect(path);
  return once(socket, 'connect')
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}
