// The public reference server of the base protocol: for development, not for production.
import { DurableStreamTestServer } from '@durable-streams/server';

const server = new DurableStreamTestServer({ host: '0.0.0.0', port: 4437, dataDir: process.env.DATA_DIR });
console.log(`Durable Streams at ${await server.start()}`);
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
