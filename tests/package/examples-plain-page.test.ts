import { describeChatExample } from './chat-example.ts';
import { freePort } from './commands.ts';

describeChatExample('plain-page', {
  async prepare() {
    const port = await freePort();
    return { url: `http://localhost:${port}`, env: { PORT: String(port) }, ports: [port] };
  },
  retryButton: 'Send',
  isTyped: false,
});
