import { describeChatExample } from './chat-example.ts';
import { freePort } from './commands.ts';

describeChatExample('nextjs-chat', {
  async prepare() {
    const port = await freePort();
    const url = `http://localhost:${port}`;
    return { url, env: { NEXT_TELEMETRY_DISABLED: '1', PORT: String(port) }, ports: [port] };
  },
  retryButton: 'Try again',
  isTyped: true,
});
