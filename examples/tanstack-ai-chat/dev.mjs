// Runs the server and Vite until one of them ends.
import { spawn } from 'node:child_process';
import './environment.mjs';

const programs = [['--watch', '--import', 'tsx', 'server.ts'], ['node_modules/vite/bin/vite.js']].map(
  (args) => spawn(process.execPath, args, { stdio: 'inherit' }),
);
const stop = () => programs.forEach((program) => program.kill());
process.once('SIGTERM', stop);
for (const program of programs) program.once('exit', stop);
