// One worker process per core, on one Redis. SIGHUP replaces all workers without downtime, SIGTERM ends them.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { runWorker } from './worker.mjs';

const count = Number(process.env.WORKERS ?? availableParallelism());

/** Starts a worker. Resolves once it accepts connections. */
async function startWorker() {
  const worker = cluster.fork();
  await once(worker, 'listening');
  return worker;
}

/** Starts a worker in place of each one, then lets the old one complete its answers. */
async function replaceAll() {
  for (const old of Object.values(cluster.workers)) {
    await startWorker();
    old.process.kill('SIGTERM');
  }
  console.log('Replaced all workers');
}

async function runPrimary() {
  let isStopping = false;
  // A worker that crashed is replaced. The others close its answers as `interrupted`, and clients read that.
  cluster.on('exit', (worker, code, signal) => {
    if (!isStopping && (signal !== null || code !== 0)) void startWorker();
  });
  await Promise.all(Array.from({ length: count }, startWorker));
  console.log(`Process ${process.pid}: ${count} workers listen`);

  let replacing = Promise.resolve();
  process.on('SIGHUP', () => {
    replacing = replacing.then(replaceAll);
  });
  process.once('SIGTERM', () => {
    isStopping = true;
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
  });
}

if (cluster.isPrimary) await runPrimary();
else await runWorker();
