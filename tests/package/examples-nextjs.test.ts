import { describeChatExample } from './chat-example.ts';
import { freePort } from './commands.ts';

describeChatExample('nextjs-chat', {
  async prepare() {
    const [next, proxy] = [await freePort(), await freePort()];
    const url = `http://localhost:${next}`;
    const env = {
      NEXT_TELEMETRY_DISABLED: '1',
      APP_URL: url,
      PORT: String(next),
      PROXY_URL: `http://localhost:${proxy}/v1/proxy`,
      PROXY_PORT: String(proxy),
    };
    return { url, env, ports: [next, proxy] };
  },
  retryButton: 'Try again',
  isTyped: true,
});
