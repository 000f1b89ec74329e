// Preloaded into the process of a sample: its servers listen on a free port, and the test learns which.
import { Server } from 'node:net';

const { listen } = Server.prototype;
Server.prototype.listen = function (...args) {
  this.once('listening', () => {
    const { port } = this.address();
    if (port === undefined) return; // A Unix socket: the lock of the embedded store.
    process.send?.({ port });
    // The channel must not keep the process alive after its servers have closed.
    process.channel?.unref();
  });
  const [first, ...rest] = args;
  if (typeof first === 'number') return listen.call(this, 0, '127.0.0.1', ...rest);
  // Fastify passes an object.
  if (first?.port !== undefined) return listen.call(this, { ...first, host: '127.0.0.1', port: 0 }, ...rest);
  return listen.apply(this, args);
};
