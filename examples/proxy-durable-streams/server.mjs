// The public reference server of the base protocol: for development, not for production.
import { DurableStreamTestServer } from '@durable-streams/server';

const { PORT = '4437', DATA_DIR } = process.env;
const server = new DurableStreamTestServer({ host: '0.0.0.0', port: Number(PORT), dataDir: DATA_DIR });
console.log(`Durable Streams at ${await server.start()}`);
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
