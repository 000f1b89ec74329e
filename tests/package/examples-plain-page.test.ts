import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { describeChatExample } from './chat-example.ts';
import { freePort } from './commands.ts';
import { installExample } from './example.ts';

describeChatExample('plain-page', {
  async prepare() {
    const port = await freePort();
    return { url: `http://localhost:${port}`, env: { PORT: String(port) }, ports: [port] };
  },
  retryButton: 'Send',
  isTyped: false,
});

it('examples/plain-page fails if its port is in use', async () => {
  const example = await installExample('plain-page');
  const other = createServer().listen(0);
  await once(other, 'listening');
  try {
    const command = example.start({ PORT: String((other.address() as AddressInfo).port) });
    expect(await command.exited).not.toBe(0);
    expect(command.output()).toContain('EADDRINUSE');
    expect(command.output()).not.toContain('Open http');
  } finally {
    other.close();
    await example.remove();
  }
});
