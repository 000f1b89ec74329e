import { DurableStreamTestServer } from '@durable-streams/server';

/** The public reference server of the base protocol, keeping streams in memory. */
const server = new DurableStreamTestServer({ port: 0 });
console.log(`listening ${await server.start()}`);
