// Runs Next.js and the proxy until one of them ends.
import { spawn } from 'node:child_process';
import './environment.mjs';

const programs = [['node_modules/next/dist/bin/next', 'dev'], ['durable-proxy.mjs']].map((args) =>
  spawn(process.execPath, args, { stdio: 'inherit' }),
);
const stop = () => programs.forEach((program) => program.kill());
process.once('SIGTERM', stop);
for (const program of programs) program.once('exit', stop);
