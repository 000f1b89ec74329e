import { readAnswers, type ClientTask } from './client-read.ts';

/** A client in a Node process of its own: a task to warm up, then the task; prints its CPU and what it read. */
const [warmUp, task] = JSON.parse(process.argv[2]!) as [ClientTask, ClientTask];
await readAnswers(warmUp);
const before = process.cpuUsage();
const report = await readAnswers(task);
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ ...report, cpuMs: (user + system) / 1_000 }));
