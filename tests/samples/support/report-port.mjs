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
  return listen.apply(this, typeof args[0] === 'number' ? [0, '127.0.0.1', ...args.slice(1)] : args);
};
