import { describeChatExample } from './chat-example.ts';
import { freePort } from './commands.ts';

describeChatExample('tanstack-ai-chat', {
  async prepare() {
    const [server, vite] = [await freePort(), await freePort()];
    const url = `http://localhost:${vite}`;
    return { url, env: { PORT: String(server), APP_URL: url }, ports: [server, vite] };
  },
  retryButton: 'Try again',
  isTyped: true,
});
