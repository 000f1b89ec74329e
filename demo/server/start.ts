import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Runs the server, and runs it again on the same port when it is killed, as any process manager would. */
function run(port: string | undefined): void {
  const child = fork(fileURLToPath(new URL('./main.js', import.meta.url)), {
    env: { ...process.env, ...(port !== undefined && { PORT: port }) },
  });
  // A terminal sends its SIGINT to both of us; a SIGTERM comes to this process alone.
  const terminate = (): void => void child.kill('SIGTERM');
  const wait = (): void => {};
  let samePort = port;
  child.on('message', (message) => {
    samePort = String((message as { port: number }).port);
  });
  process.on('SIGINT', wait).on('SIGTERM', terminate);
  child.once('exit', (code, signal) => {
    process.off('SIGINT', wait).off('SIGTERM', terminate);
    if (signal === 'SIGKILL') run(samePort);
    else process.exitCode = code ?? 1;
  });
}

run(undefined);
